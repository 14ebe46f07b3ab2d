"""How a backbone's map becomes features: its own pooling, the maximum, or the whole map."""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from timm.models.pit import PoolingVisionTransformer
from torch import Tensor, nn

from frostline.backbones.backbone import Backbone
from frostline.backbones.meta_device import call_on_meta, eval_mode, meta_tensors
from frostline.backbones.state_digest import named_state
from frostline.errors import BackboneError

Pool = Literal["avg", "max", "flatten"]
_TOKENS_NDIM = 3


@dataclass(frozen=True)
class OutputPooling:
    """What is left to do with the model's output to get features `(N, F)`.

    Attributes:
        reduce: `none`, `flatten`, `max` or `mean`.
        axes: Axes that a maximum or mean is taken over, the batch axis being 0.
        skip_tokens: Class and register tokens that the maximum or mean leaves out: those that timm
            counts in `num_prefix_tokens`, which CoaT's and VOLO's class token is not.
        from_features: Whether the model's features are pooled, before its head, instead of its
            output.
    """

    reduce: Literal["none", "flatten", "max", "mean"]
    axes: tuple[int, ...] = ()
    skip_tokens: int = 0
    from_features: bool = False

    def run(self, model: Any, x: Tensor) -> Tensor:
        """Run a model on images `(N, 3, S, S)` and pool its output to `(N, F)`."""
        return self(model.forward_features(x) if self.from_features else model(x))

    def __call__(self, y: Tensor) -> Tensor:
        """Map the model's output to `(N, F)`."""
        if self.reduce == "none":
            return y
        if self.reduce == "flatten":
            return torch.flatten(y, 1)
        if self.skip_tokens:
            y = y[:, self.skip_tokens :]
        return (
            torch.amax(y, dim=self.axes) if self.reduce == "max" else torch.mean(y, dim=self.axes)
        )


Snapshot = list[tuple[nn.Module, dict[str, Any], dict[str, Any]]]
"""For each module its children and its plain attributes."""


def _snapshot(model: nn.Module) -> Snapshot:
    """Copy which modules hold which, and their plain attributes."""
    return [
        (
            module,
            dict(module._modules),
            {k: v for k, v in vars(module).items() if isinstance(v, str | int | bool | type(None))},
        )
        for module in model.modules()
    ]


def _restore(snapshot: Snapshot) -> None:
    for module, children, attributes in snapshot:
        module._modules.clear()
        module._modules.update(children)
        for key, value in attributes.items():
            if key != "training":
                vars(module)[key] = value


def set_pool(backbone: Backbone, pool: Pool) -> OutputPooling:
    """Make the model of a backbone pool as asked, and return what is left to do with its output.

    What a model has between its pooling and its classifier (a norm, a 1x1 convolution) stays.

    Args:
        backbone: Its model is reconfigured; parameters and their names stay.
        pool: `avg` is the model's own pooling, which need not be an average; `max` the maximum
            over the map; `flatten` the whole map as one row.

    Raises:
        BackboneError: The model cannot pool in that way.
    """
    if backbone.original_pooling is not None:
        _restore(backbone.original_pooling)
        backbone.original_pooling = None
    if pool == "avg":
        shape = backbone.timeline.out_shape["", "exit"]
        return OutputPooling("none") if len(shape) == 1 else _reduce(backbone, "mean", shape)
    if isinstance(backbone.model, PoolingVisionTransformer):  # it returns its class tokens alone
        raise _no_map(backbone, pool)
    snapshot = _snapshot(backbone.model)
    if pool == "max" and _try_reset(backbone, "max", snapshot) and len(output_shape(backbone)) == 1:
        backbone.original_pooling = snapshot
        return OutputPooling("none")
    _restore(snapshot)
    if _try_reset(backbone, "", snapshot) and len(output_shape(backbone)) > 1:
        backbone.original_pooling = snapshot
        return _pool_map(backbone, pool, output_shape(backbone), from_features=False)
    _restore(snapshot)
    try:
        shape = output_shape(backbone, from_features=True)
    except Exception:  # a model without such a method, or with several maps
        shape = ()
    if len(shape) > 1:
        return _pool_map(backbone, pool, shape, from_features=True)
    raise _no_map(backbone, pool)


def _no_map(backbone: Backbone, pool: Pool) -> BackboneError:
    return BackboneError(
        given=f"head.pool={pool}: {backbone.name} does not return one unpooled map",
        allowed="head.pool=avg (the model's own pooling)",
    )


def _pool_map(
    backbone: Backbone, pool: Pool, shape: tuple[int, ...], *, from_features: bool
) -> OutputPooling:
    if pool == "flatten":
        return OutputPooling("flatten", from_features=from_features)
    return _reduce(backbone, "max", shape, from_features=from_features)


def _try_reset(backbone: Backbone, pool: str, snapshot: Snapshot) -> bool:
    """Set the pooling by timm's own method; False if there is none or parameters are lost."""
    before = {name for name, _ in named_state(backbone.model)}
    reset: Any = getattr(backbone.model, "reset_classifier", None)
    try:
        reset(0, pool)
        output_shape(backbone)
    except Exception:  # models raise all kinds of errors on a pooling that they do not have
        _restore(snapshot)
        return False
    return {name for name, _ in named_state(backbone.model)} == before


class _PooledModel(nn.Module):
    """A model with its pooling as one module."""

    def __init__(self, model: nn.Module, pooling: OutputPooling) -> None:
        super().__init__()
        self.model = model
        self.pooling = pooling

    def forward(self, x: Tensor) -> Tensor:
        return self.pooling.run(self.model, x)


def output_shape(backbone: Backbone, *, from_features: bool = False) -> tuple[int, ...]:
    """Return the shape of the model's output for one image, without the batch axis.

    Args:
        backbone: The backbone.
        from_features: Whether its features are meant, before its head.
    """
    image = torch.empty(1, *backbone.input.shape, device="meta")
    pooled = _PooledModel(backbone.model, OutputPooling("none", from_features=from_features))
    with torch.no_grad(), eval_mode(backbone.model):
        output = call_on_meta(pooled, meta_tensors(pooled), image)
    return tuple(output.shape[1:])


def num_features(backbone: Backbone, pooling: OutputPooling) -> int:
    """Return the width F of the features `(N, F)` after pooling."""
    if backbone.original_pooling is None and not pooling.from_features:
        shape = backbone.timeline.out_shape["", "exit"]
    else:
        shape = output_shape(backbone, from_features=pooling.from_features)
    return int(pooling(torch.empty(1, *shape, device="meta")).shape[1])


def _reduce(
    backbone: Backbone,
    reduce: Literal["max", "mean"],
    shape: tuple[int, ...],
    *,
    from_features: bool = False,
) -> OutputPooling:
    """Reduce tokens `(N, T, F)`, or a map with its channels first or last."""
    if len(shape) + 1 == _TOKENS_NDIM:
        skip = int(getattr(backbone.model, "num_prefix_tokens", 0))
        return OutputPooling(reduce, axes=(1,), skip_tokens=skip, from_features=from_features)
    channels = {getattr(backbone.model, name, 0) for name in ("num_features", "head_hidden_size")}
    last = shape[-1] in channels and shape[0] not in channels
    return OutputPooling(reduce, axes=(1, 2) if last else (2, 3), from_features=from_features)
