"""Freezing a backbone to a depth: no gradients, and eval mode that `.train()` cannot undo."""

from collections.abc import Iterable
from typing import Literal

from torch import nn

from frostline.backbones.backbone import Backbone
from frostline.backbones.depth import Depth
from frostline.backbones.execution_order import Timeline
from frostline.backbones.stage_boundaries import time_of

FrozenBn = Literal["eval", "train"]
_BATCH_NORMS = (nn.modules.batchnorm._BatchNorm,)


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
    """Replaces the `train` method of one module: the module stays in eval mode.

    It is an attribute of the module, not a new class or wrapper, so the names in the state dict,
    deep copies and pickles stay as they are. It stores the mode that was requested last, which
    the module takes when it is released.
    """

    def __init__(self, module: nn.Module, requested: bool) -> None:
        self.module = module
        self.requested = requested

    def __call__(self, mode: bool = True) -> nn.Module:
        self.requested = mode
        for child in self.module.children():
            child.train(mode)
        self.module.training = False
        return self.module


def hold_in_eval(model: nn.Module, paths: Iterable[str], frozen_bn: FrozenBn) -> None:
    """Hold modules in eval mode, and release all others that were held before.

    `train()` on a held module, or on any module around it, leaves it in eval mode. A module that
    is released takes the mode that was requested last.

    Args:
        model: The model.
        paths: The modules to hold.
        frozen_bn: With `train` the batch normalisations among them keep following `train()` and
            so adapt their statistics.
    """
    held = set(paths)
    for path, module in model.named_modules():
        previous = module.__dict__.pop("train", None)
        requested = previous.requested if isinstance(previous, _HeldInEval) else module.training
        adapts = frozen_bn == "train" and isinstance(module, _BATCH_NORMS)
        if path in held and not adapts:
            module.__dict__["train"] = _HeldInEval(module, requested)
            module.training = False
        else:
            module.training = requested


def is_held_in_eval(module: nn.Module) -> bool:
    """Return whether a module is held in eval mode."""
    return isinstance(module.__dict__.get("train"), _HeldInEval)


def set_frozen(backbone: Backbone, depth: Depth, *, frozen_bn: FrozenBn = "eval") -> None:
    """Freeze a backbone to a depth and unfreeze the rest; what was frozen before does not matter.

    Args:
        backbone: Changed in place; the names in its state stay.
        depth: From `Backbone.depth`.
        frozen_bn: With `train` the statistics of frozen batch normalisations keep adapting.
    """
    freeze_tensors(backbone.model, depth.frozen_tensors)
    hold_in_eval(backbone.model, _frozen_modules(backbone, depth), frozen_bn)


def _frozen_modules(backbone: Backbone, depth: Depth) -> list[str]:
    """Return the modules that lie wholly in the frozen part.

    They are read off the model now and not when the depth is resolved, because another pooling
    may have replaced modules since.
    """
    model, timeline = backbone.model, backbone.timeline
    if depth.is_whole or depth.is_adapted:
        return [path for path, _ in model.named_modules()]
    if not depth.frozen_tensors:
        return []
    frozen: set[str] = set()
    for path, module in model.named_modules():
        names = [name for name, _ in module.named_parameters(path, remove_duplicate=False)]
        names += [name for name, _ in module.named_buffers(path, remove_duplicate=False)]
        if names:
            is_frozen = depth.frozen_tensors.issuperset(names)
        elif path in timeline.enter:
            is_frozen = _is_within(timeline.enter[path], depth, timeline)
        else:
            is_frozen = path.rpartition(".")[0] in frozen
        if is_frozen:
            frozen.add(path)
    return sorted(frozen)


def _is_within(time: int, depth: Depth, timeline: Timeline) -> bool:
    """Whether the pass is in a frozen part at a time."""
    for start, end in depth.spans:
        began = time_of(start, timeline) if start else None
        ended = time_of(end, timeline) if end else None
        if (began is None or began < time) and (ended is None or time <= ended):
            return True
    return False


def batch_statistics(model: nn.Module) -> set[str]:
    """Return the names of the buffers of batch normalisations."""
    return {
        f"{path}.{name}"
        for path, module in model.named_modules()
        if isinstance(module, _BATCH_NORMS)
        for name, _ in module.named_buffers(recurse=False)
    }
