"""From the value of `freeze` to what is frozen: a number, `all` or a module path.

A number below zero counts from the end, as in Python: -1 is all stages but the last.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from frostline.backbones.execution_order import Timeline
from frostline.backbones.spec import Boundary, Stage
from frostline.backbones.stage_boundaries import time_of
from frostline.backbones.stage_scale import place_tensors
from frostline.errors import BackboneError

ALL = "all"


@dataclass(frozen=True)
class Depth:
    """How much of a backbone is frozen; resolved once from `freeze` and passed on.

    Attributes:
        label: As the user wrote it (`2`, `all`, `layer3.2`); a number below zero is replaced by
            the same depth counted from the front.
        frozen_stages: Number of whole stages that are frozen.
        num_stages: Stages of the backbone.
        boundary: Where the frozen part ends; None if nothing or everything is frozen.
        is_whole: Whether everything but the new head is frozen.
        frozen_tensors: Names of the frozen parameters and buffers in the model's state.
        frozen_params: Values in frozen parameters.
        total_params: Values in all parameters of the backbone.
        frozen_flops: FLOPs of the frozen part's forward pass for one image.
        total_flops: FLOPs of the whole forward pass for one image.
    """

    label: str
    frozen_stages: int
    num_stages: int
    boundary: Boundary | None
    is_whole: bool
    frozen_tensors: frozenset[str]
    frozen_params: int
    total_params: int
    frozen_flops: int
    total_flops: int

    @property
    def frozen_params_frac(self) -> float:
        """Frozen share of the parameters, in [0, 1]."""
        return self.frozen_params / max(1, self.total_params)

    @property
    def frozen_flops_frac(self) -> float:
        """FLOPs of the frozen part as a share of the forward pass, in [0, 1]."""
        return self.frozen_flops / max(1, self.total_flops)


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
    """Resolve a value of `freeze` for a model.

    Args:
        name: The backbone's name, for messages.
        model: The timm model without classifier.
        timeline: In which order its forward pass uses its parts.
        stages: Its stages.
        freeze: A number 0..S, or -S..-1 from the end, `all`, or the path of a module: everything
            up to and including it.

    Raises:
        BackboneError: The depth is out of range, or neither number, `all` nor module path.
    """
    value = parse_freeze(freeze)
    if value == ALL or value == len(stages):
        return _whole(model, stages, timeline, str(value))
    if isinstance(value, int):
        if not -len(stages) <= value <= len(stages):
            raise BackboneError(
                given=f"freeze={value}: {name} has {len(stages)} stages\n{table(name, stages)}",
                allowed=f"0 to {len(stages)}, all, or a module path such as "
                f"{_example_path(model, timeline)}; -1 to -{len(stages)} count from the end",
            )
        value %= len(stages)
        frozen_stages = stages[:value]
        return _depth(
            model,
            stages,
            timeline,
            label=str(value),
            frozen_stages=value,
            boundary=frozen_stages[-1].end if frozen_stages else None,
            frozen_tensors=_tensors_of(frozen_stages),
            frozen_flops=sum(stage.flops for stage in frozen_stages),
        )
    return _up_to_module(name, model, timeline, stages, value)


def _depth(
    model: nn.Module,
    stages: Sequence[Stage],
    timeline: Timeline,
    *,
    label: str,
    frozen_stages: int,
    boundary: Boundary | None,
    frozen_tensors: frozenset[str],
    frozen_flops: int,
    is_whole: bool = False,
) -> Depth:
    # Tensors that are shared are counted once, under their first name.
    sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}
    return Depth(
        label=label,
        frozen_stages=frozen_stages,
        num_stages=len(stages),
        boundary=boundary,
        is_whole=is_whole,
        frozen_tensors=frozen_tensors,
        frozen_params=sum(size for name, size in sizes.items() if name in frozen_tensors),
        total_params=sum(sizes.values()),
        frozen_flops=frozen_flops,
        total_flops=timeline.total_flops,
    )


def _whole(model: nn.Module, stages: Sequence[Stage], timeline: Timeline, label: str) -> Depth:
    return _depth(
        model,
        stages,
        timeline,
        label=label,
        frozen_stages=len(stages),
        boundary=None,
        frozen_tensors=_tensors_of(stages),
        frozen_flops=timeline.total_flops,
        is_whole=True,
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
            else "is neither a number, `all` nor a module of"
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
        frozen_stages=whole_stages,
        boundary=boundary,
        frozen_tensors=frozen,
        frozen_flops=timeline.flops_until[path, "exit"],
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
