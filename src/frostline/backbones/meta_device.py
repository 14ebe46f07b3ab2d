"""Calling a model on the meta device: shapes are computed, numbers are not."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


def meta_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return a replacement on the meta device for every parameter and buffer, by name.

    Every name of a tensor is listed once, and tensors that are shared share their replacement. It
    is for `functional_call` with `tie_weights=False`: its own tying replaces the tensors of a
    module that is used in two places twice, and then cannot restore them.
    """
    replacements: dict[int, Tensor] = {}
    state: dict[str, Tensor] = {}
    for path, module in model.named_modules():
        own = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
        for name, tensor in own:
            if id(tensor) not in replacements:
                empty = torch.empty_like(tensor, device="meta")
                is_parameter = isinstance(tensor, nn.Parameter)
                replacements[id(tensor)] = (
                    nn.Parameter(empty, requires_grad=False) if is_parameter else empty
                )
            state[f"{path}.{name}" if path else name] = replacements[id(tensor)]
    return state


def call_on_meta(model: nn.Module, tensors: dict[str, Tensor], argument: object) -> Any:
    """Call a model with its tensors replaced by those of `meta_tensors`."""
    return torch.func.functional_call(model, dict(tensors), (argument,), tie_weights=False)


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """Put every module into eval mode in this block; restore each one's own mode at the end."""
    modes = {module: module.training for module in model.modules()}
    for module in modes:
        module.training = False
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
