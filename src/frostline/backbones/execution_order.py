"""One forward pass without numbers: in which order a model uses its parts, and what each costs.

The pass runs on the meta device, so it computes shapes only and needs no memory for activations.
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


@dataclass
class Timeline:
    """What happened when; times count events from 0.

    Args:
        enter: First time a module began, by module path.
        exit: Last time a module ended, by module path.
        first_use: First time a parameter or buffer was read, by its name in the state.
        flops_until: FLOPs of one image spent up to a module's first begin and last end.
        out_shape: Shape of a module's last output, without the batch axis.
        total_flops: FLOPs of one image.
    """

    enter: dict[str, int] = field(default_factory=dict)
    exit: dict[str, int] = field(default_factory=dict)
    first_use: dict[str, int] = field(default_factory=dict)
    flops_until: dict[tuple[str, str], int] = field(default_factory=dict)
    out_shape: dict[tuple[str, str], tuple[int, ...]] = field(default_factory=dict)
    total_flops: int = 0


class _TensorUse(TorchFunctionMode):
    """Notes when a named tensor is first handed to an operation."""

    def __init__(self, names: dict[int, str], timeline: Timeline, clock: "_Clock") -> None:
        super().__init__()
        self._names = names
        self._timeline = timeline
        self._clock = clock

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        for value in _flat((args, kwargs)):
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


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        for entry in value:
            yield from _flat(entry)
    elif isinstance(value, dict):
        for entry in value.values():
            yield from _flat(entry)
    elif isinstance(value, Tensor):
        yield value


def _shape(value: Any) -> tuple[int, ...]:
    first = next(_flat(value), None)
    return tuple(first.shape[1:]) if first is not None else ()


def meta_state(model: nn.Module) -> dict[str, Tensor]:
    """Return stand-ins on the meta device for every parameter and buffer.

    Each place in each module is there once, and tensors that are shared share their stand-in. It
    is for ``functional_call`` with ``tie_weights=False``: its own tying replaces the tensors of a
    module that stands in two places twice, and cannot put them back.
    """
    twins: dict[int, Tensor] = {}
    state: dict[str, Tensor] = {}
    for path, module in model.named_modules():
        own = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
        for name, tensor in own:
            if id(tensor) not in twins:
                twin = torch.empty_like(tensor, device="meta")
                is_parameter = isinstance(tensor, nn.Parameter)
                twins[id(tensor)] = (
                    nn.Parameter(twin, requires_grad=False) if is_parameter else twin
                )
            state[f"{path}.{name}" if path else name] = twins[id(tensor)]
    return state


def without_numbers(model: nn.Module, state: dict[str, Tensor], argument: object) -> Any:
    """Call a model with stand-ins for its tensors."""
    return torch.func.functional_call(model, dict(state), (argument,), tie_weights=False)


def _first_names(model: nn.Module) -> dict[str, str]:
    """Map every name of a tensor to the first name of the same tensor."""
    first: dict[int, str] = {}
    named = [
        *model.named_parameters(remove_duplicate=False),
        *model.named_buffers(remove_duplicate=False),
    ]
    return {name: first.setdefault(id(tensor), name) for name, tensor in named}


@contextmanager
def _noted(paths: dict[int, str], timeline: Timeline, clock: _Clock) -> Iterator[None]:
    """Note the begin and end of every module while the block runs."""
    with FlopCounterMode(display=False) as flops:

        def begin(module: nn.Module, args: Any) -> None:
            path = paths.get(id(module))
            if path is not None and path not in timeline.enter:
                timeline.enter[path] = clock.tick()
                timeline.flops_until[path, "enter"] = flops.get_total_flops()
                timeline.out_shape[path, "enter"] = _shape(args)

        def end(module: nn.Module, _: Any, output: Any) -> None:
            path = paths.get(id(module))
            if path is not None:
                timeline.exit[path] = clock.tick()
                timeline.flops_until[path, "exit"] = flops.get_total_flops()
                timeline.out_shape[path, "exit"] = _shape(output)

        handles = [register_module_forward_pre_hook(begin), register_module_forward_hook(end)]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
    timeline.total_flops = flops.get_total_flops()


@contextmanager
def held_in_eval(model: nn.Module) -> Iterator[None]:
    """Put every module into eval mode while the block runs, and each into its own mode after."""
    modes = {module: module.training for module in model.modules()}
    for module in modes:
        module.training = False
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def walk(model: nn.Module, size_px: int, in_chans: int = 3) -> Timeline:
    """Run a model once on the meta device and note what it does.

    The model itself is left as it was: its parameters are replaced by stand-ins for the one pass.

    Args:
        model: Any image model; its training mode is put back afterwards.
        size_px: Side of the square input.
        in_chans: Channels of the input.

    Returns:
        The timeline of a forward pass in eval mode over one image.

    Raises:
        Exception: Whatever the model raises on an image of this size.

    Source: FLOPs are counted by ``torch.utils.flop_counter`` (a multiply-add counts as two).
    """
    timeline, clock = Timeline(), _Clock()
    state = meta_state(model)
    names: dict[int, str] = {}
    for name, tensor in state.items():
        names.setdefault(id(tensor), name)
    paths = {id(module): path for path, module in model.named_modules()}
    image = torch.empty(1, in_chans, size_px, size_px, device="meta")
    with (
        torch.no_grad(),
        held_in_eval(model),
        _noted(paths, timeline, clock),
        _TensorUse(names, timeline, clock),
    ):
        output = without_numbers(model, state, image)
    timeline.out_shape["", "exit"] = _shape(output)
    for name, first in _first_names(model).items():
        if first in timeline.first_use:
            timeline.first_use[name] = timeline.first_use[first]
    _include_containers(model, timeline)
    return timeline


def outermost(paths: Iterable[str], around: str) -> list[str]:
    """Return those of the paths inside a module that lie in no other of them."""
    inside = {path for path in paths if path.startswith(f"{around}.")}
    return [path for path in inside if not any(up in inside for up in _above(path))]


def _above(path: str) -> Iterator[str]:
    while "." in path:
        path = path.rpartition(".")[0]
        yield path


def _include_containers(model: nn.Module, timeline: Timeline) -> None:
    """Give modules that are never called themselves (lists) the span of what they hold."""
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
