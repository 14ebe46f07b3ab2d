"""The stage scale: any model divided into steps of depth, derived from the model itself.

The stages follow timm's `feature_info`: one per halving of resolution, the stem a stage of its own
where timm lists four. In models that keep one resolution, the embedding is stage 1 and the blocks
are four equal parts. What runs after the last boundary belongs to the last stage.
"""

from bisect import bisect_right
from collections.abc import Sequence

from torch import nn

from frostline.backbones.execution_order import Timeline
from frostline.backbones.spec import Stage
from frostline.backbones.stage_boundaries import TimedBoundary, stage_boundaries
from frostline.errors import BackboneError


def divide_into_stages(model: nn.Module, timeline: Timeline, name: str) -> tuple[Stage, ...]:
    """Divide a model into stages, each parameter and buffer in exactly one of them.

    Args:
        model: A timm model without classifier.
        timeline: In which order its forward pass uses its parts.
        name: The model's name, for messages.

    Returns:
        Stages 1..S in the order in which they run.

    Raises:
        BackboneError: timm lists nothing that could be a boundary.
    """
    boundaries = stage_boundaries(model, timeline)
    if not boundaries:
        raise BackboneError(
            given=f"backbone={name} cannot be divided into stages: timm lists no features for it "
            "that its forward pass goes through",
            allowed="freeze=0, freeze=all or a module path of the model",
        )
    tensors = [tensor for tensor, _ in model.named_parameters(remove_duplicate=False)]
    tensors += [tensor for tensor, _ in model.named_buffers(remove_duplicate=False)]
    part_of = place_tensors(tensors, timeline, [boundary.time for boundary in boundaries])
    return _stages(model, timeline, boundaries, part_of)


def place_tensors(
    tensors: Sequence[str], timeline: Timeline, times: Sequence[int]
) -> dict[str, int]:
    """Find for each tensor between which of the given times it is first used.

    A tensor that the pass does not use is placed with the other tensors of its module, else of
    the module around it, in the latest of their parts; failing that, in the last part.

    Args:
        tensors: Names of parameters and buffers.
        timeline: When each is first used.
        times: Ascending times that separate the parts.

    Returns:
        Name to part, 0 for the one before the first time.
    """
    part_of = {
        name: bisect_right(times, timeline.first_use[name])
        for name in tensors
        if name in timeline.first_use
    }
    latest: dict[str, int] = {}
    for name, part in part_of.items():
        for parent in _parents(name):
            latest[parent] = max(latest.get(parent, 0), part)
    last = len(times)
    for name in tensors:
        if name not in part_of:
            nearest = (latest[parent] for parent in _parents(name) if parent and parent in latest)
            part_of[name] = next(nearest, last)
    return part_of


def _parents(path: str) -> list[str]:
    """Return the modules around a path, nearest first, the model itself last."""
    names = path.split(".")
    return [".".join(names[:count]) for count in range(len(names) - 1, -1, -1)]


def _stages(
    model: nn.Module,
    timeline: Timeline,
    boundaries: Sequence[TimedBoundary],
    part_of: dict[str, int],
) -> tuple[Stage, ...]:
    """Build the stages; a part without parameters joins the stage before it."""
    parameters = dict(model.named_parameters(remove_duplicate=False))
    filled = sorted({part for name, part in part_of.items() if name in parameters})
    stages: list[Stage] = []
    flops_before = 0
    for number, part in enumerate(filled, start=1):
        is_last = number == len(filled)
        first_part = 0 if number == 1 else part
        next_part = len(boundaries) + 1 if is_last else filled[number]
        members = tuple(n for n, placed in part_of.items() if first_part <= placed < next_part)
        end = None if is_last else boundaries[part].boundary
        event = (end.module, end.edge) if end else ("", "exit")
        flops = timeline.flops_until[event] if end else timeline.total_flops
        unique = {id(parameters[n]): parameters[n] for n in members if n in parameters}
        stages.append(
            Stage(
                number=number,
                modules=_largest_modules(members, part_of),
                tensors=members,
                params=sum(parameter.numel() for parameter in unique.values()),
                flops=flops - flops_before,
                end=end,
                out_shape=timeline.out_shape[event],
            )
        )
        flops_before = flops
    return tuple(stages)


def _largest_modules(members: Sequence[str], part_of: dict[str, int]) -> tuple[str, ...]:
    """Return the largest modules whose tensors are all members, and members outside of them."""
    inside = set(members)
    outside = {parent for name in part_of if name not in inside for parent in _parents(name)}
    largest: dict[str, None] = {}
    for name in members:
        modules = [
            parent for parent in reversed(_parents(name)) if parent and parent not in outside
        ]
        largest[modules[0] if modules else name] = None
    return tuple(largest)
