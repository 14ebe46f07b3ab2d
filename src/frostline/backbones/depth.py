"""From what a person writes as ``freeze`` to what is frozen: a number, ``all`` or a module path.

A number below zero counts from the end, as in Python: -1 is all stages but the last.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from frostline.backbones.execution_order import Timeline
from frostline.backbones.spec import Boundary, Stage
from frostline.backbones.stage_scale import place_tensors, time_of
from frostline.errors import BackboneError

ALL = "all"


@dataclass(frozen=True)
class Depth:
    """How much of a backbone is frozen.

    Args:
        label: What the person wrote: ``2``, ``all``, ``layer3.2``.
        stages: Number of whole stages that are frozen.
        boundary: Where the frozen part ends; None if it is nothing or everything.
        frozen: Names of the frozen parameters and buffers.
        frozen_flops: FLOPs of the frozen part's forward pass for one image.
        whole: True if everything but the new head is frozen.
    """

    label: str
    stages: int
    boundary: Boundary | None
    frozen: frozenset[str]
    frozen_flops: int
    whole: bool


def parse_freeze(freeze: int | str) -> int | str:
    """Return a number for digits, else the text without blanks around it."""
    if isinstance(freeze, bool):
        return str(freeze)
    if isinstance(freeze, int):
        return freeze
    text = freeze.strip()
    return int(text) if text.lstrip("-").isdigit() else text


def resolve_depth(
    name: str,
    model: nn.Module,
    timeline: Timeline,
    stages: Sequence[Stage],
    freeze: int | str,
) -> Depth:
    """Say what a value of ``freeze`` freezes in a model.

    Args:
        name: The backbone's name, for messages.
        model: The timm model without classifier.
        timeline: What its forward pass does.
        stages: Its stages.
        freeze: A number 0..S, or -S..-1 from the end, ``all``, or the path of a module: everything
            up to and with it.

    Raises:
        BackboneError: The depth is out of range, or neither number, ``all`` nor module path.
    """
    value = parse_freeze(freeze)
    if value == ALL or value == len(stages):
        return _whole(stages, timeline, str(value))
    if isinstance(value, int):
        if not -len(stages) <= value <= len(stages):
            raise BackboneError(
                given=f"freeze={value}: {name} has {len(stages)} stages\n{table(name, stages)}",
                allowed=f"0 to {len(stages)}, all, or a module path such as "
                f"{_example_path(model, timeline)}; -1 to -{len(stages)} count from the end",
            )
        value %= len(stages)
        taken = stages[:value]
        return Depth(
            label=str(value),
            stages=value,
            boundary=taken[-1].end if taken else None,
            frozen=frozenset(tensor for stage in taken for tensor in stage.tensors),
            frozen_flops=sum(stage.flops for stage in taken),
            whole=False,
        )
    return _up_to_module(name, model, timeline, stages, value)


def _whole(stages: Sequence[Stage], timeline: Timeline, label: str) -> Depth:
    return Depth(
        label=label,
        stages=len(stages),
        boundary=None,
        frozen=frozenset(tensor for stage in stages for tensor in stage.tensors),
        frozen_flops=timeline.total_flops,
        whole=True,
    )


def _up_to_module(
    name: str, model: nn.Module, timeline: Timeline, stages: Sequence[Stage], path: str
) -> Depth:
    boundary = Boundary(path, "exit")
    time = time_of(boundary, timeline) if path else None
    if time is None:
        known = bool(path) and path in {other for other, _ in model.named_modules()}
        reason = (
            "names a module that is never run:"
            if known
            else "is neither a number, `all` nor a module of"
        )
        raise BackboneError(
            given=f"freeze={path!r} {reason} {name}\n{table(name, stages)}",
            allowed=f"0 to {len(stages)}, all, or a module path such as "
            f"{_example_path(model, timeline)}",
        )
    names = [tensor for stage in stages for tensor in stage.tensors]
    place = place_tensors(names, timeline, [time])
    frozen = frozenset(tensor for tensor in names if place[tensor] == 0)
    whole_stages = 0
    while whole_stages < len(stages) and frozen.issuperset(stages[whole_stages].tensors):
        whole_stages += 1
    if whole_stages == len(stages):
        return _whole(stages, timeline, path)
    return Depth(
        label=path,
        stages=whole_stages,
        boundary=boundary,
        frozen=frozen,
        frozen_flops=timeline.flops_until[path, "exit"],
        whole=False,
    )


def _example_path(model: nn.Module, timeline: Timeline) -> str:
    """Return a module path of this very model, from its middle."""
    ran = [path for path, _ in model.named_modules() if path in timeline.exit and "." in path]
    ran = [path for path in ran if path.count(".") == 1] or ran
    return ran[len(ran) // 2] if ran else next(iter(timeline.exit), "")


def table(name: str, stages: Sequence[Stage]) -> str:
    """Lay the stages of a backbone out as a small table, for messages."""
    total = sum(stage.params for stage in stages) or 1
    lines = [f"  {name}: stage  parameters  frozen share  modules"]
    done = 0
    indent = " " * (len(name) + 4)
    for stage in stages:
        done += stage.params
        modules = ", ".join(stage.modules[:3]) + (", ..." if len(stage.modules) > 3 else "")
        lines.append(
            f"{indent}{stage.number:>5}  {stage.params:>10,}  {done / total:>11.1%}   {modules}"
        )
    return "\n".join(lines)
