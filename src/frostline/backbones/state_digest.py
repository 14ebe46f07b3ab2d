"""A digest over parameters and buffers, which shows whether any of them changed."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class FrozenPart:
    """The frozen parameters and buffers of a model, looked up by name when they are needed.

    Moving a model to another device replaces its buffers, so this holds names, not tensors.

    Attributes:
        model: The model that holds them.
        names: Their names in its state.
    """

    model: nn.Module
    names: frozenset[str]

    def named_tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Yield name and tensor, parameters first, in the order of the model."""
        yield from (
            (name, tensor) for name, tensor in named_state(self.model) if name in self.names
        )


def named_state(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield every parameter and buffer with its name; a shared one under each of its names."""
    yield from module.named_parameters(remove_duplicate=False)
    yield from module.named_buffers(remove_duplicate=False)


def digest_of(*parts: nn.Module | FrozenPart) -> str:
    """Return sha256 hex over names, types, shapes and bytes of parameters and buffers.

    Args:
        parts: Modules, or the frozen part of one.
    """
    digest = hashlib.sha256()
    for part in parts:
        tensors = part.named_tensors() if isinstance(part, FrozenPart) else named_state(part)
        for name, tensor in tensors:
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            data = tensor.detach().cpu().contiguous().reshape(-1)
            if data.numel():
                digest.update(data.view(torch.uint8).numpy().data)
    return digest.hexdigest()
