"""From the value of `freeze` to what is frozen: a number, `all`, a module path, or listed stages.

A number below zero counts from the end, as in Python: -1 is all stages but the last.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from torch import nn

from frostline.backbones.execution_order import Timeline
from frostline.backbones.spec import Boundary, Stage
from frostline.backbones.stage_boundaries import time_of
from frostline.backbones.stage_scale import place_tensors
from frostline.config.freeze_value import (
    ALL,
    LORA,
    MIDDLE,
    checked_freeze,
    counted,
    depth_of,
    listed_stages,
)
from frostline.errors import BackboneError


@dataclass(frozen=True)
class Depth:
    """How much of a backbone is frozen; resolved once from `freeze` and passed on.

    Attributes:
        label: As the user wrote it (`2`, `all`, `layer3.2`, `[3,4]`); a number below zero and
            `middle` are replaced by what they come to.
        prefix_label: The depth that freezes the prefix alone: `2` for `[1,2,4]`, `0` for `[3,4]`.
        frozen_stages: Number of whole stages that are frozen, wherever they lie.
        prefix_stages: Number of whole stages in the frozen prefix.
        num_stages: Stages of the backbone.
        boundary: Where the frozen prefix ends; None if there is none, or everything is frozen.
        spans: From where to where the pass is frozen, in order; None is an end of the model.
        is_whole: Whether everything but the new head is frozen.
        frozen_tensors: Names of the frozen parameters and buffers in the model's state.
        prefix_tensors: Those of the prefix.
        frozen_params: Values in frozen parameters.
        total_params: Values in all parameters of the backbone.
        frozen_flops: FLOPs of the frozen part's forward pass for one image.
        prefix_flops: Those of the prefix.
        total_flops: FLOPs of the whole forward pass for one image.
    """

    label: str
    prefix_label: str
    frozen_stages: int
    prefix_stages: int
    num_stages: int
    boundary: Boundary | None
    spans: tuple[tuple[Boundary | None, Boundary | None], ...]
    is_whole: bool
    frozen_tensors: frozenset[str]
    prefix_tensors: frozenset[str]
    frozen_params: int
    total_params: int
    frozen_flops: int
    prefix_flops: int
    total_flops: int

    @property
    def is_adapted(self) -> bool:
        """Whether adapters train beside weights that are all frozen."""
        return self.label == LORA

    @property
    def frozen_params_frac(self) -> float:
        """Frozen share of the parameters, in [0, 1]."""
        return self.frozen_params / max(1, self.total_params)

    @property
    def frozen_flops_frac(self) -> float:
        """FLOPs of the frozen part as a share of the forward pass, in [0, 1]."""
        return self.frozen_flops / max(1, self.total_flops)


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
        return _whole(model, stages, timeline, str(value))
    if value == LORA:
        return _adapted(model, stages, timeline)
    if value == MIDDLE and num_stages < 3:
        raise BackboneError(
            given=f"freeze={MIDDLE}: {name} has {num_stages} stages, and so none between the first "
            f"and the last\n{table(name, stages)}",
            allowed=f"0 to {num_stages}, all, or a module path",
        )
    if isinstance(value, int) and not -num_stages <= value <= num_stages:
        raise BackboneError(
            given=f"freeze={value}: {name} has {num_stages} stages\n{table(name, stages)}",
            allowed=f"0 to {num_stages}, all, or a module path such as "
            f"{_example_path(model, timeline)}; -1 to -{num_stages} count from the end",
        )
    value = counted(value, num_stages)
    if isinstance(value, int):
        return _of_stages(model, stages, timeline, range(1, value + 1))
    numbers = listed_stages(value)
    if numbers is None:
        return _up_to_module(name, model, timeline, stages, value)
    if numbers[-1] > num_stages:
        raise BackboneError(
            given=f"freeze={value}: {name} has {num_stages} stages\n{table(name, stages)}",
            allowed=f"a list of stages from 1 to {num_stages}",
        )
    return _of_stages(model, stages, timeline, numbers)


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


def _of_stages(
    model: nn.Module, stages: Sequence[Stage], timeline: Timeline, numbers: Sequence[int]
) -> Depth:
    """Stages by their ascending numbers, from 1, not all of them."""
    runs: list[list[int]] = []
    for _, group in groupby(enumerate(numbers), lambda each: each[1] - each[0]):
        runs.append([number for _, number in group])
    prefix = runs[0] if runs and runs[0][0] == 1 else []
    chosen = [stages[number - 1] for number in numbers]
    return _depth(
        model,
        stages,
        timeline,
        label=str(depth_of(numbers)),
        prefix_label=str(len(prefix)),
        frozen_stages=len(numbers),
        prefix_stages=len(prefix),
        boundary=stages[len(prefix) - 1].end if prefix else None,
        spans=tuple(
            (stages[run[0] - 2].end if run[0] > 1 else None, stages[run[-1] - 1].end)
            for run in runs
        ),
        frozen_tensors=_tensors_of(chosen),
        prefix_tensors=_tensors_of(stages[: len(prefix)]),
        frozen_flops=sum(stage.flops for stage in chosen),
        prefix_flops=sum(stage.flops for stage in stages[: len(prefix)]),
    )


def _depth(
    model: nn.Module,
    stages: Sequence[Stage],
    timeline: Timeline,
    *,
    label: str,
    prefix_label: str,
    frozen_stages: int,
    prefix_stages: int,
    boundary: Boundary | None,
    spans: tuple[tuple[Boundary | None, Boundary | None], ...],
    frozen_tensors: frozenset[str],
    prefix_tensors: frozenset[str],
    frozen_flops: int,
    prefix_flops: int,
    is_whole: bool = False,
) -> Depth:
    # Tensors that are shared are counted once, under their first name.
    sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}
    return Depth(
        label=label,
        prefix_label=prefix_label,
        frozen_stages=frozen_stages,
        prefix_stages=prefix_stages,
        num_stages=len(stages),
        boundary=boundary,
        spans=spans,
        is_whole=is_whole,
        frozen_tensors=frozen_tensors,
        prefix_tensors=prefix_tensors,
        frozen_params=sum(size for name, size in sizes.items() if name in frozen_tensors),
        total_params=sum(sizes.values()),
        frozen_flops=frozen_flops,
        prefix_flops=prefix_flops,
        total_flops=timeline.total_flops,
    )


def _whole(model: nn.Module, stages: Sequence[Stage], timeline: Timeline, label: str) -> Depth:
    tensors = _tensors_of(stages)
    return _depth(
        model,
        stages,
        timeline,
        label=label,
        prefix_label=label,
        frozen_stages=len(stages),
        prefix_stages=len(stages),
        boundary=None,
        spans=((None, None),),
        frozen_tensors=tensors,
        prefix_tensors=tensors,
        frozen_flops=timeline.total_flops,
        prefix_flops=timeline.total_flops,
        is_whole=True,
    )


def _adapted(model: nn.Module, stages: Sequence[Stage], timeline: Timeline) -> Depth:
    """All weights frozen, no prefix apart: adapters lie beside layers of all stages.

    The names are the model's own at this moment, which adapters change.
    """
    names = [name for name, _ in model.named_parameters(remove_duplicate=False)]
    names += [name for name, _ in model.named_buffers(remove_duplicate=False)]
    return _depth(
        model,
        stages,
        timeline,
        label=LORA,
        prefix_label="0",
        frozen_stages=len(stages),
        prefix_stages=0,
        boundary=None,
        spans=((None, None),),
        frozen_tensors=frozenset(name for name in names if ".lora_" not in name),
        prefix_tensors=frozenset(),
        frozen_flops=timeline.total_flops,
        prefix_flops=0,
    )


def _tensors_of(stages: Sequence[Stage]) -> frozenset[str]:
    return frozenset(tensor for stage in stages for tensor in stage.tensors)


def _up_to_module(
    name: str, model: nn.Module, timeline: Timeline, stages: Sequence[Stage], path: str
) -> Depth:
    boundary = Boundary(path, "exit")
    time = time_of(boundary, timeline) if path else None
    if time is None:
        exists = bool(path) and path in {other for other, _ in model.named_modules()}
        reason = (
            "names a module that is never run:"
            if exists
            else "is neither a number, `all`, `middle`, a list of stages nor a module of"
        )
        raise BackboneError(
            given=f"freeze={path!r} {reason} {name}\n{table(name, stages)}",
            allowed=f"0 to {len(stages)}, all, or a module path such as "
            f"{_example_path(model, timeline)}",
        )
    names = [tensor for stage in stages for tensor in stage.tensors]
    part_of = place_tensors(names, timeline, [time])
    frozen = frozenset(tensor for tensor in names if part_of[tensor] == 0)
    whole_stages = 0
    while whole_stages < len(stages) and frozen.issuperset(stages[whole_stages].tensors):
        whole_stages += 1
    if whole_stages == len(stages):
        return _whole(model, stages, timeline, path)
    return _depth(
        model,
        stages,
        timeline,
        label=path,
        prefix_label=path,
        frozen_stages=whole_stages,
        prefix_stages=whole_stages,
        boundary=boundary,
        spans=((None, boundary),),
        frozen_tensors=frozen,
        prefix_tensors=frozen,
        frozen_flops=timeline.flops_until[path, "exit"],
        prefix_flops=timeline.flops_until[path, "exit"],
    )


def _example_path(model: nn.Module, timeline: Timeline) -> str:
    """Return a module path from the middle of this model."""
    paths = [path for path, _ in model.named_modules() if path in timeline.exit and "." in path]
    paths = [path for path in paths if path.count(".") == 1] or paths
    return paths[len(paths) // 2] if paths else next(iter(timeline.exit), "")


def table(name: str, stages: Sequence[Stage]) -> str:
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
