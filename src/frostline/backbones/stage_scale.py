"""The stage scale: any model divided into steps of depth, derived from the model itself.

The steps follow timm's ``feature_info``: one per halving of resolution, the stem a step of its own
where timm lists four. Models that keep one resolution have their embedding as step 1 and
their blocks in four equal parts. What runs after the last step belongs to it.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from torch import nn

from frostline.backbones.execution_order import Timeline
from frostline.backbones.spec import Boundary, Stage
from frostline.errors import BackboneError

_ISOTROPIC_PARTS = 4
_STEM_APART_BELOW = 5


class _Mark(NamedTuple):
    """A boundary and when it is passed."""

    time: int
    boundary: Boundary


def divide(model: nn.Module, timeline: Timeline, name: str) -> tuple[Stage, ...]:
    """Divide a model into stages, each parameter and buffer in exactly one of them.

    Args:
        model: A timm model without classifier.
        timeline: What its forward pass does, from ``walk``.
        name: The model's name, for messages.

    Returns:
        Stages 1..S in the order in which they run.

    Raises:
        BackboneError: The model has nothing that marks its steps.
    """
    marks = _marks(model, timeline)
    if not marks:
        raise BackboneError(
            given=f"backbone={name} cannot be divided into stages: timm lists no features for it "
            "that its forward pass goes through",
            allowed="freeze=0, freeze=all or a module path of the model",
        )
    tensors = [tensor for tensor, _ in model.named_parameters(remove_duplicate=False)]
    tensors += [tensor for tensor, _ in model.named_buffers(remove_duplicate=False)]
    place = place_tensors(tensors, timeline, [mark.time for mark in marks])
    return _stages(model, timeline, marks, place)


def time_of(boundary: Boundary, timeline: Timeline) -> int | None:
    """Return when a boundary is passed, or None if the forward pass never comes there."""
    table = timeline.enter if boundary.edge == "enter" else timeline.exit
    return table.get(boundary.module)


def place_tensors(
    tensors: Sequence[str], timeline: Timeline, times: Sequence[int]
) -> dict[str, int]:
    """Say for each tensor between which of the given times it is first used.

    A tensor that the pass does not use goes with its nearest relatives: those of the same module,
    else of the module around it, the latest of them; else with the last part.

    Args:
        tensors: Names of parameters and buffers.
        timeline: When each is first used.
        times: Ascending times that separate the parts.

    Returns:
        Name to part, 0 for the one before the first time.
    """
    place = {
        name: bisect_right(times, timeline.first_use[name])
        for name in tensors
        if name in timeline.first_use
    }
    latest: dict[str, int] = {}
    for name, part in place.items():
        for around in _around(name):
            latest[around] = max(latest.get(around, 0), part)
    last = len(times)
    for name in tensors:
        if name not in place:
            relatives = (latest[around] for around in _around(name) if around and around in latest)
            place[name] = next(relatives, last)
    return place


def _around(path: str) -> list[str]:
    """Return the modules around a path, nearest first, the model itself last."""
    parts = path.split(".")
    return [".".join(parts[:count]) for count in range(len(parts) - 1, -1, -1)]


def _entries(model: nn.Module) -> list[dict[str, Any]]:
    info = getattr(model, "feature_info", None)
    info = getattr(info, "info", info)
    return [dict(entry) for entry in info] if info else []


def _marks(model: nn.Module, timeline: Timeline) -> list[_Mark]:
    """Return the boundaries between stages in order; the last one's stage runs on to the end."""
    entries = _entries(model)
    listed: list[Boundary] = []
    for entry in entries:
        edge: Literal["enter", "exit"] = (
            "enter" if entry.get("hook_type") == "forward_pre" else "exit"
        )
        listed.append(Boundary(str(entry.get("module") or ""), edge))
    known = [mark for mark in listed if mark.module and time_of(mark, timeline) is not None]
    stem_apart = False
    if not known and entries:
        known = _parts_of_same_count(model, timeline, len(entries))
    elif known:
        stem_apart = listed[0] != known[0]
    known = list(dict.fromkeys(known))
    if not known:
        return []
    if _is_isotropic(entries, len(known)):
        return _isotropic_marks(known, timeline)
    marks = _ordered(known, timeline)
    if stem_apart or len(known) == _STEM_APART_BELOW - 1:
        first = marks[0].boundary.module
        marks = [_Mark(timeline.enter[first], Boundary(first, "enter")), *marks]
    return marks[:-1]


def _ordered(boundaries: Sequence[Boundary], timeline: Timeline) -> list[_Mark]:
    timed = [
        _Mark(time, mark) for mark in boundaries if (time := time_of(mark, timeline)) is not None
    ]
    return sorted(timed, key=lambda mark: mark.time)


def _parts_of_same_count(model: nn.Module, timeline: Timeline, count: int) -> list[Boundary]:
    """Return the parts of the largest list of modules that has as many parts as timm lists."""
    best: list[Boundary] = []
    most = 0
    for path, module in model.named_modules():
        if not isinstance(module, nn.Sequential | nn.ModuleList) or len(module) != count:
            continue
        size = sum(parameter.numel() for parameter in module.parameters())
        if size > most and path in timeline.exit:
            most = size
            best = [Boundary(f"{path}.{child}", "exit") for child, _ in module.named_children()]
    return [mark for mark in best if time_of(mark, timeline) is not None]


def _is_isotropic(entries: Sequence[dict[str, Any]], distinct: int) -> bool:
    reductions = {entry.get("reduction") for entry in entries}
    return len(reductions) == 1 and distinct >= _STEM_APART_BELOW


def _isotropic_marks(blocks: Sequence[Boundary], timeline: Timeline) -> list[_Mark]:
    ordered = [mark.boundary for mark in _ordered(blocks, timeline)]
    first = ordered[0].module
    marks = [_Mark(timeline.enter[first], Boundary(first, "enter"))]
    for part in range(1, _ISOTROPIC_PARTS):
        last_of_part = ordered[round(part * len(ordered) / _ISOTROPIC_PARTS) - 1]
        marks.append(_Mark(timeline.exit[last_of_part.module], last_of_part))
    return marks


def _stages(
    model: nn.Module, timeline: Timeline, marks: Sequence[_Mark], place: dict[str, int]
) -> tuple[Stage, ...]:
    """Put the stages together; a stretch without parameters joins the stage before it."""
    parameters = dict(model.named_parameters(remove_duplicate=False))
    filled = sorted({part for name, part in place.items() if name in parameters})
    stages: list[Stage] = []
    flops_before = 0
    for number, part in enumerate(filled, start=1):
        last = number == len(filled)
        first_part = 0 if number == 1 else part
        next_part = len(marks) + 1 if last else filled[number]
        members = tuple(n for n, where in place.items() if first_part <= where < next_part)
        end = None if last else marks[part].boundary
        moment = (end.module, end.edge) if end else ("", "exit")
        flops = timeline.flops_until[moment] if end else timeline.total_flops
        unique = {id(parameters[n]): parameters[n] for n in members if n in parameters}
        stages.append(
            Stage(
                number=number,
                modules=_cover(members, place),
                tensors=members,
                params=sum(parameter.numel() for parameter in unique.values()),
                flops=flops - flops_before,
                end=end,
                out_shape=timeline.out_shape[moment],
            )
        )
        flops_before = flops
    return tuple(stages)


def _cover(members: Sequence[str], place: dict[str, int]) -> tuple[str, ...]:
    """Return the largest modules whose tensors are all members, and tensors of their own."""
    inside = set(members)
    outside = {around for name in place if name not in inside for around in _around(name)}
    cover: dict[str, None] = {}
    for name in members:
        modules = [around for around in reversed(_around(name)) if around and around not in outside]
        cover[modules[0] if modules else name] = None
    return tuple(cover)
