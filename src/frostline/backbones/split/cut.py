"""A backbone cut in two: a frozen prefix and a trainable suffix that together are the model."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from frostline.backbones.backbone import AsBuilt, Backbone
from frostline.backbones.depth import Depth
from frostline.backbones.freezing import (
    FrozenBn,
    batch_statistics,
    is_held_in_eval,
    set_frozen,
)
from frostline.backbones.pooling import OutputPooling, Pool, num_features, set_pool
from frostline.backbones.spec import Boundary
from frostline.backbones.split.crossing import CutError
from frostline.backbones.split.cut_finder import CutFinder, reason_of
from frostline.backbones.split.model_part import ModelPart
from frostline.backbones.split.recording import modules_around
from frostline.backbones.split.stage_cuts import find_cut
from frostline.backbones.split.verify import verify_cut
from frostline.backbones.state_digest import FrozenPart


class WholeModel(nn.Module):
    """A whole model as one part.

    Args:
        model: The model, shared.
        pooling: What is done with its output.
        frozen: Whether it runs without gradients.
    """

    def __init__(self, model: nn.Module, pooling: OutputPooling, *, frozen: bool) -> None:
        super().__init__()
        self.model = model
        self.pooling = pooling
        self.frozen = frozen

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised images `(N, 3, S, S)` to features `(N, F)`."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            return self.pooling.run(self.model, x)


@dataclass(frozen=True)
class Cut:
    """A backbone frozen to a depth and divided there.

    Attributes:
        depth: What is frozen.
        pool: How the map becomes features.
        prefix: Normalised images `(N, 3, S, S)` to the suffix's input, without gradients.
        suffix: From there to features `(N, F)`. It shares its modules with the backbone's model.
        exact: True if suffix after prefix is the model, verified bit by bit.
        reason: Why it is not exact, or what was verified.
        reusable: True if the prefix's output for an image never changes, so it can be stored.
        frozen_modules: The frozen parameters and buffers, for `digest_of`.
        frozen_prefix: Those of the prefix, on which its outputs depend.
        num_features: Width F of the features.
    """

    depth: Depth
    pool: Pool
    prefix: nn.Module
    suffix: nn.Module
    exact: bool
    reason: str
    reusable: bool
    frozen_modules: FrozenPart
    frozen_prefix: FrozenPart
    num_features: int


def cut(
    backbone: Backbone,
    depth: Depth,
    *,
    pool: Pool,
    frozen_bn: FrozenBn = "eval",
    finder: CutFinder | None = None,
    as_built: AsBuilt | None = None,
) -> Cut:
    """Freeze a backbone to a depth and cut it there.

    Where no exact cut is found the prefix does nothing, and the suffix is the whole model with its
    first part frozen.

    Args:
        backbone: Frozen in place; its model's pooling is set as asked.
        depth: From `Backbone.depth`.
        pool: How the map becomes features: `avg` is the model's own pooling.
        frozen_bn: With `train` the statistics of frozen batch normalisations keep adapting, and
            nothing can be stored.
        finder: From `stage_cut_finder` with the same pooling, where several depths of one backbone
            are cut one after the other.
        as_built: What is known of the backbone's weights, while nothing has trained: a cut that was
            proven on the same weights is not proven again.

    Raises:
        BackboneError: The model cannot pool like that.
    """
    pooling = set_pool(backbone, pool)
    set_frozen(backbone, depth, frozen_bn=frozen_bn)
    model = backbone.model
    reason = ""
    parts: tuple[nn.Module, nn.Module] | None
    if depth.is_whole:
        parts = WholeModel(model, pooling, frozen=True), nn.Identity()
    elif depth.boundary is None:
        parts = nn.Identity(), WholeModel(model, pooling, frozen=False)
    else:
        try:
            parts = _cut_at(backbone, depth, depth.boundary, pooling, pool, finder, as_built)
        except Exception as error:  # models are free code: any error means that there is no cut
            reason = reason_of(error)
            parts = None
    exact = parts is not None
    prefix, suffix = parts or (nn.Identity(), WholeModel(model, pooling, frozen=False))
    adapting = batch_statistics(model) if frozen_bn == "train" else set()
    return Cut(
        depth=depth,
        pool=pool,
        prefix=prefix,
        suffix=suffix,
        exact=exact,
        reason=reason or "suffix after prefix equals the model",
        reusable=exact and bool(depth.prefix_tensors) and frozen_bn == "eval",
        frozen_modules=FrozenPart(model, depth.frozen_tensors - adapting),
        frozen_prefix=FrozenPart(model, depth.prefix_tensors - adapting),
        num_features=num_features(backbone, pooling),
    )


def _cut_at(
    backbone: Backbone,
    depth: Depth,
    boundary: Boundary,
    pooling: OutputPooling,
    pool: Pool,
    finder: CutFinder | None,
    as_built: AsBuilt | None,
) -> tuple[ModelPart, ModelPart]:
    """Cut a model at a boundary and verify that the two parts are the model.

    Raises:
        CutError: There is no exact cut.
    """
    model = backbone.model
    programs, boundaries = find_cut(backbone, boundary, pooling, pool, finder)
    opened = [model.get_submodule(path) for path in sorted(modules_around(boundaries))]
    surgical = len(depth.spans) > 1
    if surgical and programs.train_suffix is not None and any(map(is_held_in_eval, opened)):
        raise CutError(
            "the code of a frozen stage that lies behind it does other steps in training"
        )
    prefix = ModelPart(model, programs.prefix, None, (), frozen=True)
    suffix = ModelPart(model, programs.suffix, programs.train_suffix, opened, frozen=False)
    proven = {} if as_built is None else as_built.cuts
    key = (boundary, pool)
    if key in proven:
        prefix.clones_input, suffix.clones_input, suffix.input_axis_orders = proven[key]
        return prefix, suffix
    may_shrink = not (programs.needs_size or backbone.input.fixed_size)
    verify_cut(model, pooling, prefix, suffix, backbone.input.shape, may_shrink=may_shrink)
    proven[key] = prefix.clones_input, suffix.clones_input, suffix.input_axis_orders
    return prefix, suffix
