"""Where one stage ends and the next begins, from timm's `feature_info`."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from torch import nn

from frostline.backbones.execution_order import Timeline
from frostline.backbones.spec import Boundary

_ISOTROPIC_PARTS = 4
# Where timm lists fewer entries than this, the stem is a stage of its own.
_MIN_ENTRIES_WITH_STEM = 5


class TimedBoundary(NamedTuple):
    """A boundary, and when the forward pass crosses it."""

    time: int
    boundary: Boundary


def stage_boundaries(model: nn.Module, timeline: Timeline) -> list[TimedBoundary]:
    """Return the boundaries between a model's stages in order; empty if timm lists none.

    The last stage has no boundary after it: it extends to the end of the model.

    Args:
        model: A timm model without classifier.
        timeline: In which order its forward pass uses its parts.
    """
    entries = _feature_entries(model)
    listed: list[Boundary] = []
    for entry in entries:
        edge: Literal["enter", "exit"] = (
            "enter" if entry.get("hook_type") == "forward_pre" else "exit"
        )
        listed.append(Boundary(str(entry.get("module") or ""), edge))
    crossed = [each for each in listed if each.module and time_of(each, timeline) is not None]
    separate_stem = False
    if not crossed and entries:
        crossed = _parts_of_same_count(model, timeline, len(entries))
    elif crossed:
        separate_stem = listed[0] != crossed[0]
    crossed = list(dict.fromkeys(crossed))
    if not crossed:
        return []
    if _is_isotropic(entries, len(crossed)):
        return _isotropic_boundaries(crossed, timeline)
    boundaries = _in_order(crossed, timeline)
    if separate_stem or len(crossed) == _MIN_ENTRIES_WITH_STEM - 1:
        first = boundaries[0].boundary.module
        stem_end = TimedBoundary(timeline.enter[first], Boundary(first, "enter"))
        boundaries = [stem_end, *boundaries]
    return boundaries[:-1]


def time_of(boundary: Boundary, timeline: Timeline) -> int | None:
    """Return when a boundary is crossed, or None if the forward pass never reaches it."""
    times = timeline.enter if boundary.edge == "enter" else timeline.exit
    return times.get(boundary.module)


def _feature_entries(model: nn.Module) -> list[dict[str, Any]]:
    info = getattr(model, "feature_info", None)
    info = getattr(info, "info", info)
    return [dict(entry) for entry in info] if info else []


def _in_order(boundaries: Sequence[Boundary], timeline: Timeline) -> list[TimedBoundary]:
    timed = [
        TimedBoundary(time, boundary)
        for boundary in boundaries
        if (time := time_of(boundary, timeline)) is not None
    ]
    return sorted(timed, key=lambda each: each.time)


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
    return [boundary for boundary in best if time_of(boundary, timeline) is not None]


def _is_isotropic(entries: Sequence[dict[str, Any]], distinct: int) -> bool:
    reductions = {entry.get("reduction") for entry in entries}
    return len(reductions) == 1 and distinct >= _MIN_ENTRIES_WITH_STEM


def _isotropic_boundaries(blocks: Sequence[Boundary], timeline: Timeline) -> list[TimedBoundary]:
    ordered = [each.boundary for each in _in_order(blocks, timeline)]
    first = ordered[0].module
    boundaries = [TimedBoundary(timeline.enter[first], Boundary(first, "enter"))]
    for part in range(1, _ISOTROPIC_PARTS):
        last_of_part = ordered[round(part * len(ordered) / _ISOTROPIC_PARTS) - 1]
        boundaries.append(TimedBoundary(timeline.exit[last_of_part.module], last_of_part))
    return boundaries
