"""From the value of `freeze` to a depth: a number, `all`, a module path, or listed stages.

A number below zero counts from the end, as in Python: -1 is all stages but the last.
"""

from collections.abc import Sequence

from torch import nn

from frostline.backbones.depth import Depth, adapted, of_stages, up_to, whole
from frostline.backbones.execution_order import Timeline
from frostline.backbones.spec import Boundary, Stage
from frostline.backbones.stage_boundaries import time_of
from frostline.config.freeze_value import ALL, LORA, MIDDLE, checked_freeze, counted, listed_stages
from frostline.errors import BackboneError


def resolve_depth(
    name: str,
    model: nn.Module,
    timeline: Timeline,
    stages: Sequence[Stage],
    freeze: int | str,
) -> Depth:
    """Resolve a value of `freeze` for a model.

    Args:
        name: The backbone's name, for messages.
        model: The timm model without classifier.
        timeline: In which order its forward pass uses its parts.
        stages: Its stages.
        freeze: A number 0..S, or -S..-1 from the end; `all`; the path of a module: everything up
            to and including it; a list of stages such as `[3,4]`; `middle`, all stages but the
            first and the last; `lora`: everything but adapters.

    Raises:
        BackboneError: The depth is out of range, or none of these.
    """
    value = _number_of(freeze)
    num_stages = len(stages)
    if value in (ALL, num_stages):
        return whole(model, stages, timeline, str(value))
    if value == LORA:
        return adapted(model, stages, timeline)
    if value == MIDDLE and num_stages < 3:
        raise BackboneError(
            given=f"freeze={MIDDLE}: {name} has {num_stages} stages, and so none between the first "
            f"and the last\n{_table(name, stages)}",
            allowed=f"0 to {num_stages}, all, or a module path",
        )
    if isinstance(value, int) and not -num_stages <= value <= num_stages:
        raise BackboneError(
            given=f"freeze={value}: {name} has {num_stages} stages\n{_table(name, stages)}",
            allowed=f"0 to {num_stages}, all, or a module path such as "
            f"{_example_path(model, timeline)}; -1 to -{num_stages} count from the end",
        )
    value = counted(value, num_stages)
    if isinstance(value, int):
        return of_stages(model, stages, timeline, range(1, value + 1))
    numbers = listed_stages(value)
    if numbers is None:
        return _up_to_module(name, model, timeline, stages, value)
    if numbers[-1] > num_stages:
        raise BackboneError(
            given=f"freeze={value}: {name} has {num_stages} stages\n{_table(name, stages)}",
            allowed=f"a list of stages from 1 to {num_stages}",
        )
    return of_stages(model, stages, timeline, numbers)


def _number_of(freeze: int | str) -> int | str:
    """A value in its one spelling, digits as a number.

    Raises:
        BackboneError: It is no value of `freeze`.
    """
    if isinstance(freeze, str) and freeze.strip().lstrip("-").isdigit():
        return int(freeze)
    if freeze == "" or isinstance(freeze, bool):
        return str(freeze)
    try:
        value = checked_freeze(freeze)
    except ValueError as error:
        raise BackboneError(given=f"freeze={freeze}", allowed=str(error)) from None
    return value.strip() if isinstance(value, str) else value


def _up_to_module(
    name: str, model: nn.Module, timeline: Timeline, stages: Sequence[Stage], path: str
) -> Depth:
    boundary = Boundary(path, "exit")
    if not path or time_of(boundary, timeline) is None:
        exists = bool(path) and path in {other for other, _ in model.named_modules()}
        reason = (
            "names a module that is never run:"
            if exists
            else "is neither a number, `all`, `middle`, a list of stages nor a module of"
        )
        raise BackboneError(
            given=f"freeze={path!r} {reason} {name}\n{_table(name, stages)}",
            allowed=f"0 to {len(stages)}, all, or a module path such as "
            f"{_example_path(model, timeline)}",
        )
    return up_to(model, stages, timeline, boundary)


def _example_path(model: nn.Module, timeline: Timeline) -> str:
    """Return a module path from the middle of this model."""
    paths = [path for path, _ in model.named_modules() if path in timeline.exit and "." in path]
    paths = [path for path in paths if path.count(".") == 1] or paths
    return paths[len(paths) // 2] if paths else next(iter(timeline.exit), "")


def _table(name: str, stages: Sequence[Stage]) -> str:
    """Format the stages of a backbone as a small table, for messages."""
    total = sum(stage.params for stage in stages) or 1
    lines = [f"  {name}: stage  parameters  frozen share  modules"]
    frozen_params = 0
    indent = " " * (len(name) + 4)
    for stage in stages:
        frozen_params += stage.params
        modules = ", ".join(stage.modules[:3]) + (", ..." if len(stage.modules) > 3 else "")
        share = frozen_params / total
        lines.append(f"{indent}{stage.number:>5}  {stage.params:>10,}  {share:>11.1%}   {modules}")
    return "\n".join(lines)
