"""Frozen is frozen: no gradients, eval mode that nobody can undo by accident, and the proof."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from frostline.backbones.depth import Depth
from frostline.backbones.stage_scale import time_of

if TYPE_CHECKING:
    from frostline.backbones.build import Backbone

FrozenBn = Literal["eval", "train"]
_BATCH_NORMS = (nn.modules.batchnorm._BatchNorm,)


@dataclass(frozen=True)
class FrozenPart:
    """The frozen parameters and buffers of a model, looked up by name when they are needed.

    Moving a model to another device replaces its buffers, so the tensors are not kept here.

    Args:
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


def trainable_parameters(*modules: nn.Module) -> list[nn.Parameter]:
    """Return the parameters that training may change, each once, in order.

    Args:
        modules: Such as a suffix and a head.
    """
    seen: dict[int, nn.Parameter] = {}
    for module in modules:
        for parameter in module.parameters():
            if parameter.requires_grad:
                seen.setdefault(id(parameter), parameter)
    return list(seen.values())


def freeze_tensors(model: nn.Module, frozen: frozenset[str]) -> None:
    """Switch gradients off for the named parameters and on for all others.

    Args:
        model: The model.
        frozen: Names of the frozen tensors.
    """
    shared: dict[int, bool] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        shared[id(parameter)] = shared.get(id(parameter), False) or name in frozen
    for parameter in model.parameters():
        trains = not shared[id(parameter)] and parameter.is_floating_point()
        parameter.requires_grad_(trains)
        if not trains:
            parameter.grad = None


class _HeldInEval:
    """Stands in for the ``train`` of one module: the module stays in eval mode.

    It is an attribute of the module, not a new class or wrapper, so the names in the state dict,
    deep copies and pickles stay as they are. It remembers what was asked for, for the day the
    module wakes.
    """

    def __init__(self, module: nn.Module, asked: bool) -> None:
        self.module = module
        self.asked = asked

    def __call__(self, mode: bool = True) -> nn.Module:
        self.asked = mode
        for child in self.module.children():
            child.train(mode)
        self.module.training = False
        return self.module


def hold_in_eval(model: nn.Module, held_in_eval: Iterable[str], frozen_bn: FrozenBn) -> None:
    """Put modules into eval mode for good, and wake all others that were put so before.

    ``train()`` on a sleeping module, or on any module around it, leaves it in eval mode. A module
    that wakes takes the mode that was asked for last.

    Args:
        model: The model.
        held_in_eval: Paths of the modules that sleep.
        frozen_bn: With ``train`` the batch normalisations among them keep following
            ``train()`` and so adapt their statistics.
    """
    paths = set(held_in_eval)
    for path, module in model.named_modules():
        stay = module.__dict__.pop("train", None)
        asked = stay.asked if isinstance(stay, _HeldInEval) else module.training
        adapts = frozen_bn == "train" and isinstance(module, _BATCH_NORMS)
        if path in paths and not adapts:
            module.__dict__["train"] = _HeldInEval(module, asked)
            module.training = False
        else:
            module.training = asked


def is_held_in_eval(module: nn.Module) -> bool:
    """Say whether a module is held in eval mode."""
    return isinstance(module.__dict__.get("train"), _HeldInEval)


def set_frozen(backbone: "Backbone", freeze: int | str, *, frozen_bn: FrozenBn = "eval") -> Depth:
    """Freeze a backbone to a depth and thaw the rest; what was frozen before does not matter.

    Args:
        backbone: Changed in place; the names in its state stay.
        freeze: A number, ``all`` or a module path.
        frozen_bn: With ``train`` the statistics of frozen batch normalisations go on adapting.

    Returns:
        What is frozen now.

    Raises:
        BackboneError: There is no such depth.
    """
    depth = backbone.depth(freeze)
    freeze_tensors(backbone.model, depth.frozen)
    hold_in_eval(backbone.model, _held_in_eval(backbone, depth), frozen_bn)
    return depth


def _held_in_eval(backbone: "Backbone", depth: Depth) -> list[str]:
    """Return the modules that belong wholly to the frozen part."""
    model, timeline = backbone.model, backbone.timeline
    if depth.whole:
        return [path for path, _ in model.named_modules()]
    if not depth.frozen:
        return []
    until = time_of(depth.boundary, timeline) if depth.boundary else None
    held_in_eval: set[str] = set()
    for path, module in model.named_modules():
        names = [name for name, _ in module.named_parameters(path, remove_duplicate=False)]
        names += [name for name, _ in module.named_buffers(path, remove_duplicate=False)]
        if names:
            is_frozen = depth.frozen.issuperset(names)
        elif path in timeline.enter:
            is_frozen = until is not None and timeline.enter[path] <= until
        else:
            is_frozen = path.rpartition(".")[0] in held_in_eval
        if is_frozen:
            held_in_eval.add(path)
    return sorted(held_in_eval)


def batch_statistics(model: nn.Module) -> set[str]:
    """Return the names of the buffers of batch normalisations."""
    return {
        f"{path}.{name}"
        for path, module in model.named_modules()
        if isinstance(module, _BATCH_NORMS)
        for name, _ in module.named_buffers(recurse=False)
    }
