"""How much of a backbone is frozen: whole stages, a prefix that ends within one, or everything."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from torch import nn

from frostline.backbones.execution_order import Timeline
from frostline.backbones.spec import Boundary, Stage
from frostline.backbones.stage_boundaries import time_of
from frostline.backbones.stage_scale import place_tensors
from frostline.config.freeze_value import LORA, depth_of


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


def of_stages(
    model: nn.Module, stages: Sequence[Stage], timeline: Timeline, numbers: Sequence[int]
) -> Depth:
    """The depth that freezes these stages: ascending numbers, from 1, not all of them."""
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


def whole(model: nn.Module, stages: Sequence[Stage], timeline: Timeline, label: str) -> Depth:
    """Everything but the new head is frozen."""
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


def adapted(model: nn.Module, stages: Sequence[Stage], timeline: Timeline) -> Depth:
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


def up_to(
    model: nn.Module, stages: Sequence[Stage], timeline: Timeline, boundary: Boundary
) -> Depth:
    """Everything that the pass runs until a boundary is frozen, whole stages or parts of one.

    The boundary's module is the label.

    Raises:
        ValueError: The pass never crosses it.
    """
    path, time = boundary.module, time_of(boundary, timeline)
    if time is None:
        raise ValueError(f"{path} is never run")
    names = [tensor for stage in stages for tensor in stage.tensors]
    part_of = place_tensors(names, timeline, [time])
    frozen = frozenset(tensor for tensor in names if part_of[tensor] == 0)
    whole_stages = 0
    while whole_stages < len(stages) and frozen.issuperset(stages[whole_stages].tensors):
        whole_stages += 1
    if whole_stages == len(stages):
        return whole(model, stages, timeline, path)
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
        frozen_flops=timeline.flops_until[path, boundary.edge],
        prefix_flops=timeline.flops_until[path, boundary.edge],
    )
