"""A backbone cut in two: a frozen prefix and a trainable suffix that together are the model."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from frostline.backbones.build import Backbone
from frostline.backbones.freezing import FrozenBn, FrozenPart, batch_statistics, set_frozen
from frostline.backbones.pooling import Finish, Pool, output_shape, set_pool
from frostline.backbones.spec import Boundary
from frostline.backbones.split.cut_notes import noted
from frostline.backbones.split.packing import CutError
from frostline.backbones.split.record import around
from frostline.backbones.split.search import FoundCut, Recordings
from frostline.backbones.split.segment import Segment
from frostline.backbones.split.verify import prove


class Whole(nn.Module):
    """A whole model as one part.

    Args:
        model: The model, shared.
        finish: What is done with its output.
        frozen: Whether it runs without gradients.
    """

    def __init__(self, model: nn.Module, finish: Finish, *, frozen: bool) -> None:
        super().__init__()
        self.model = model
        self.finish = finish
        self.frozen = frozen

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised images ``(N, 3, S, S)`` to features ``(N, F)``."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            return self.finish.of(self.model, x)


@dataclass(frozen=True)
class Cut:
    """A backbone with its first part frozen.

    Args:
        prefix: Normalised images ``(N, 3, S, S)`` to what the suffix takes, without gradients.
        suffix: That to features ``(N, F)``. It shares its modules with the backbone's model.
        exact: True if suffix after prefix is the model, checked bit by bit.
        reason: Why it is not exact, or what was checked.
        reusable: True if the prefix's output for an image never changes, so it can be kept.
        frozen_modules: The frozen parameters and buffers, for ``digest_of``.
        frozen_stages: Whole stages that are frozen.
        num_stages: Stages of the backbone.
        frozen_params: Values in frozen parameters.
        total_params: Values in all parameters of the backbone.
        frozen_params_frac: Their quotient.
        frozen_flops_frac: FLOPs of the frozen part as a share of the whole forward pass.
        num_features: Width F of the features.
        depth_label: What was asked for: ``2``, ``all``, ``layer3.2``.
    """

    prefix: nn.Module
    suffix: nn.Module
    exact: bool
    reason: str
    reusable: bool
    frozen_modules: FrozenPart
    frozen_stages: int
    num_stages: int
    frozen_params: int
    total_params: int
    frozen_params_frac: float
    frozen_flops_frac: float
    num_features: int
    depth_label: str


def cut(
    backbone: Backbone,
    freeze: int | str,
    *,
    pool: Pool,
    frozen_bn: FrozenBn = "eval",
    recordings: Recordings | None = None,
) -> Cut:
    """Freeze a backbone to a depth and cut it there.

    Where no exact cut is found the prefix does nothing and the suffix is the whole model with its
    first part frozen.

    Args:
        backbone: Frozen in place; its model's pooling is set as asked.
        freeze: A number, ``all`` or a module path.
        pool: How the map becomes features: ``avg`` is the model's own way.
        frozen_bn: With ``train`` the statistics of frozen batch normalisations go on adapting,
            and nothing can be reused.
        recordings: From ``record_stages`` with the same pooling, where several depths of one
            backbone are cut one after the other.

    Raises:
        BackboneError: There is no such depth, or the model cannot pool so.
    """
    finish = set_pool(backbone, pool)
    depth = set_frozen(backbone, freeze, frozen_bn=frozen_bn)
    model = backbone.model
    reason = ""
    parts: tuple[nn.Module, nn.Module] | None
    if depth.whole:
        parts = Whole(model, finish, frozen=True), nn.Identity()
    elif depth.boundary is None:
        parts = nn.Identity(), Whole(model, finish, frozen=False)
    else:
        try:
            parts = _cut_at(backbone, depth.boundary, finish, pool, recordings)
        except Exception as error:  # models are free code: whatever goes wrong, it is no exact cut
            text = str(error).strip().splitlines()
            known = isinstance(error, CutError) and text
            reason = (
                text[0] if known else f"{type(error).__name__}: {text[0] if text else ''}"[:160]
            )
            parts = None
    exact = parts is not None
    prefix, suffix = parts or (nn.Identity(), Whole(model, finish, frozen=False))
    names = depth.frozen
    if frozen_bn == "train":
        names = names - batch_statistics(model)
    frozen_params = sum(
        {id(p): p.numel() for n, p in model.named_parameters() if n in depth.frozen}.values()
    )
    return Cut(
        prefix=prefix,
        suffix=suffix,
        exact=exact,
        reason=reason or "suffix after prefix equals the model",
        reusable=exact and bool(depth.frozen) and frozen_bn == "eval",
        frozen_modules=FrozenPart(model, frozenset(names)),
        frozen_stages=depth.stages,
        num_stages=len(backbone.stages),
        frozen_params=frozen_params,
        total_params=backbone.total_params,
        frozen_params_frac=frozen_params / max(1, backbone.total_params),
        frozen_flops_frac=depth.frozen_flops / max(1, backbone.timeline.total_flops),
        num_features=_num_features(backbone, finish),
        depth_label=depth.label,
    )


def first_line(error: Exception) -> str:
    """Return the reason that an error gives, in one line."""
    text = next(iter(str(error).strip().splitlines()), "")
    return text if isinstance(error, CutError) else f"{type(error).__name__}: {text}"[:160]


def _num_features(backbone: Backbone, finish: Finish) -> int:
    """Return the width of the features."""
    if backbone.own_pool is None and not finish.features:
        shape = backbone.timeline.out_shape["", "exit"]
    else:
        shape = output_shape(backbone, features=finish.features)
    return int(finish(torch.empty(1, *shape, device="meta")).shape[1])


def record_stages(backbone: Backbone, *, pool: Pool) -> Recordings:
    """Record a backbone's pass once for all boundaries between its stages."""
    finish = set_pool(backbone, pool)
    return Recordings(backbone.model, _ends(backbone), backbone.input.size_px, finish)


def _cut_at(
    backbone: Backbone,
    boundary: Boundary,
    finish: Finish,
    pool: Pool,
    recordings: Recordings | None,
) -> tuple[nn.Module, nn.Module]:
    """Cut a model at a boundary and prove that the two parts are the model.

    Raises:
        CutError: There is no exact cut.
    """
    model = backbone.model
    found, around_them = _found(backbone, boundary, finish, pool, recordings)
    opened = [model.get_submodule(path) for path in sorted(around(around_them))]
    prefix = Segment(model, found.prefix, None, (), frozen=True)
    suffix = Segment(model, found.suffix, found.train_suffix, opened, frozen=False)
    may_shrink = not (found.needs_size or backbone.input.fixed_size)
    prove(model, finish, prefix, suffix, backbone.input.size_px, may_shrink=may_shrink)
    return prefix, suffix


def _found(
    backbone: Backbone,
    boundary: Boundary,
    finish: Finish,
    pool: Pool,
    recordings: Recordings | None,
) -> tuple[FoundCut, Sequence[Boundary]]:
    """Find a cut, and say around which boundaries the model was looked into for it.

    Where it ends a stage, the ends of all stages are looked at together, so that the jobs of a
    sweep that freeze other depths find theirs noted.

    Raises:
        CutError: It cannot be divided there.
        Exception: Whatever the model's code raises when it is recorded.
    """
    if recordings is not None:
        return recordings.cut_at(boundary), recordings.boundaries
    ends = _ends(backbone)
    if boundary in ends:
        about = f"cuts {backbone.name} {backbone.input.size_px} {pool}"
        found = noted(about, lambda: _found_at(backbone, ends, finish))
        if boundary in found:
            return found[boundary], ends
    # Not at a stage, or only if less is looked into.
    alone = Recordings(backbone.model, [boundary], backbone.input.size_px, finish)
    return alone.cut_at(boundary), alone.boundaries


def _found_at(
    backbone: Backbone, boundaries: Sequence[Boundary], finish: Finish
) -> dict[Boundary, FoundCut]:
    """Find the cuts at those of the boundaries where there are any."""
    recordings = Recordings(backbone.model, boundaries, backbone.input.size_px, finish)
    found = {}
    for boundary in boundaries:
        with suppress(Exception):  # models are free code; whoever asks for this one is told why
            found[boundary] = recordings.cut_at(boundary)
    return found


def _ends(backbone: Backbone) -> list[Boundary]:
    """Return the boundaries between the stages."""
    return [stage.end for stage in backbone.stages if stage.end is not None]


def probe_cuts(backbone: Backbone) -> list[str]:
    """Say for every stage why there is no cut behind it; an empty text where one is found.

    This follows the steps of the model alone and needs no weights; ``cut`` also compares numbers.
    """
    recordings = record_stages(backbone, pool="avg")
    reasons: list[str] = []
    for boundary in recordings.boundaries:
        try:
            recordings.cut_at(boundary)
            reasons.append("")
        except Exception as error:  # models are free code: whatever goes wrong, it is no cut
            reasons.append(first_line(error))
    return [*reasons, ""]
