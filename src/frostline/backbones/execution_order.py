"""One forward pass on the meta device: in which order a model uses its parts, what each costs.

It computes shapes only, so it needs neither the numbers nor memory for activations.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from frostline.backbones.meta_device import call_on_meta, eval_mode, meta_tensors


@dataclass
class Timeline:
    """The order of events in a forward pass; times count events from 0.

    Attributes:
        enter: First time a module was called, by module path.
        exit: Last time a module returned, by module path.
        first_use: First time a parameter or buffer was read, by its name in the state.
        flops_until: FLOPs for one image up to a module's first call (`enter`) and last return
            (`exit`).
        out_shape: Shape of a module's last output, without the batch axis.
        total_flops: FLOPs of one image.
    """

    enter: dict[str, int] = field(default_factory=dict)
    exit: dict[str, int] = field(default_factory=dict)
    first_use: dict[str, int] = field(default_factory=dict)
    flops_until: dict[tuple[str, str], int] = field(default_factory=dict)
    out_shape: dict[tuple[str, str], tuple[int, ...]] = field(default_factory=dict)
    total_flops: int = 0


class _FirstUses(TorchFunctionMode):
    """Records when a named tensor is first an argument of an operation."""

    def __init__(self, names: dict[int, str], timeline: Timeline, clock: "_Clock") -> None:
        super().__init__()
        self._names = names
        self._timeline = timeline
        self._clock = clock

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        for value in _tensors_in((args, kwargs)):
            name = self._names.get(id(value))
            if name is not None and name not in self._timeline.first_use:
                self._timeline.first_use[name] = self._clock.tick()
        return func(*args, **kwargs)


class _Clock:
    def __init__(self) -> None:
        self._now = -1

    def tick(self) -> int:
        self._now += 1
        return self._now


def _tensors_in(value: Any) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        for entry in value:
            yield from _tensors_in(entry)
    elif isinstance(value, dict):
        for entry in value.values():
            yield from _tensors_in(entry)
    elif isinstance(value, Tensor):
        yield value


def _shape(value: Any) -> tuple[int, ...]:
    first = next(_tensors_in(value), None)
    return tuple(first.shape[1:]) if first is not None else ()


def _first_names(model: nn.Module) -> dict[str, str]:
    """Map every name of a tensor to the first name of the same tensor."""
    first: dict[int, str] = {}
    named = [
        *model.named_parameters(remove_duplicate=False),
        *model.named_buffers(remove_duplicate=False),
    ]
    return {name: first.setdefault(id(tensor), name) for name, tensor in named}


@contextmanager
def _recording_modules(paths: dict[int, str], timeline: Timeline, clock: _Clock) -> Iterator[None]:
    """Record calls and returns of every module in this block."""
    with FlopCounterMode(display=False) as flops:

        def on_call(module: nn.Module, args: Any) -> None:
            path = paths.get(id(module))
            if path is not None and path not in timeline.enter:
                timeline.enter[path] = clock.tick()
                timeline.flops_until[path, "enter"] = flops.get_total_flops()
                timeline.out_shape[path, "enter"] = _shape(args)

        def on_return(module: nn.Module, _: Any, output: Any) -> None:
            path = paths.get(id(module))
            if path is not None:
                timeline.exit[path] = clock.tick()
                timeline.flops_until[path, "exit"] = flops.get_total_flops()
                timeline.out_shape[path, "exit"] = _shape(output)

        handles = [
            register_module_forward_pre_hook(on_call),
            register_module_forward_hook(on_return),
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
    timeline.total_flops = flops.get_total_flops()


def record_timeline(model: nn.Module, shape: tuple[int, int, int]) -> Timeline:
    """Run a model once on the meta device and record the order in which it uses its parts.

    The model itself is not changed: its tensors are replaced for this one pass.

    Args:
        model: Any image model; its training mode is restored afterwards.
        shape: Channels, height and width of an image.

    Returns:
        The timeline of a forward pass in eval mode over one image.

    Raises:
        Exception: The model raised it on an image of this size.

    Source: FLOPs are counted by `torch.utils.flop_counter` (a multiply-add counts as two).
    """
    timeline, clock = Timeline(), _Clock()
    state = meta_tensors(model)
    names: dict[int, str] = {}
    for name, tensor in state.items():
        names.setdefault(id(tensor), name)
    paths = {id(module): path for path, module in model.named_modules()}
    image = torch.empty(1, *shape, device="meta")
    with (
        torch.no_grad(),
        eval_mode(model),
        _recording_modules(paths, timeline, clock),
        _FirstUses(names, timeline, clock),
    ):
        output = call_on_meta(model, state, image)
    timeline.out_shape["", "exit"] = _shape(output)
    for name, first in _first_names(model).items():
        if first in timeline.first_use:
            timeline.first_use[name] = timeline.first_use[first]
    _include_containers(model, timeline)
    return timeline


def outermost(paths: Iterable[str], around: str) -> list[str]:
    """Return the paths inside a module that are not inside another of the paths."""
    inside = {path for path in paths if path.startswith(f"{around}.")}
    return [path for path in inside if not any(parent in inside for parent in _parents(path))]


def _parents(path: str) -> Iterator[str]:
    while "." in path:
        path = path.rpartition(".")[0]
        yield path


def _include_containers(model: nn.Module, timeline: Timeline) -> None:
    """Give modules that are never called themselves (lists) the span of the modules in them."""
    for path, _ in model.named_modules():
        if not path or path in timeline.enter:
            continue
        inner = outermost(timeline.enter, path)
        if not inner:
            continue
        first = min(inner, key=lambda other: timeline.enter[other])
        last = max(inner, key=lambda other: timeline.exit[other])
        timeline.enter[path] = timeline.enter[first]
        timeline.exit[path] = timeline.exit[last]
        for edge, other in (("enter", first), ("exit", last)):
            timeline.flops_until[path, edge] = timeline.flops_until[other, edge]
            timeline.out_shape[path, edge] = timeline.out_shape[other, edge]
