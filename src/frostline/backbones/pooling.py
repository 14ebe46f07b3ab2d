"""How a backbone's map becomes features: its own pooling, the maximum, or the whole map."""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from frostline.backbones.build import Backbone
from frostline.backbones.execution_order import held_in_eval, meta_state, without_numbers
from frostline.backbones.freezing import named_state
from frostline.errors import BackboneError

Pool = Literal["avg", "max", "flatten"]
_TOKENS_NDIM = 3


@dataclass(frozen=True)
class Finish:
    """What is done with the model's output so that features ``(N, F)`` come out.

    Args:
        reduce: ``none``, ``flatten``, ``max`` or ``mean``.
        axes: Axes that a maximum or mean is taken over, the batch axis being 0.
        skip_tokens: Class and register tokens that it leaves out.
        features: Whether the model's features are taken, before its head, instead of its output.
    """

    reduce: Literal["none", "flatten", "max", "mean"]
    axes: tuple[int, ...] = ()
    skip_tokens: int = 0
    features: bool = False

    def of(self, model: Any, x: Tensor) -> Tensor:
        """Run a model on images ``(N, 3, S, S)`` and finish its output to ``(N, F)``."""
        return self(model.forward_features(x) if self.features else model(x))

    def __call__(self, y: Tensor) -> Tensor:
        """Map the model's output to ``(N, F)``."""
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


def _snapshot(model: nn.Module) -> Snapshot:
    """Remember which modules hold which, and their plain attributes."""
    return [
        (
            module,
            dict(module._modules),
            {k: v for k, v in vars(module).items() if isinstance(v, str | int | bool | type(None))},
        )
        for module in model.modules()
    ]


def _put_back(snapshot: Snapshot) -> None:
    for module, children, attributes in snapshot:
        module._modules.clear()
        module._modules.update(children)
        for key, value in attributes.items():
            if key != "training":
                vars(module)[key] = value


def set_pool(backbone: Backbone, pool: Pool) -> Finish:
    """Make the model of a backbone pool as asked, and return what is left to do with its output.

    What a model has between its pooling and its classifier (a norm, a 1x1 convolution) stays.

    Args:
        backbone: Its model is reconfigured; parameters and their names stay.
        pool: ``avg`` is the model's own pooling, whatever that is; ``max`` the maximum over the
            map; ``flatten`` the whole map as one row.

    Raises:
        BackboneError: The model cannot pool in that way.
    """
    if backbone.own_pool is not None:
        _put_back(backbone.own_pool)
        backbone.own_pool = None
    if pool == "avg":
        shape = backbone.timeline.out_shape["", "exit"]
        return Finish("none") if len(shape) == 1 else _reduce(backbone, "mean", shape)
    snapshot = _snapshot(backbone.model)
    if pool == "max" and _try_reset(backbone, "max", snapshot) and len(output_shape(backbone)) == 1:
        backbone.own_pool = snapshot
        return Finish("none")
    _put_back(snapshot)
    if _try_reset(backbone, "", snapshot) and len(output_shape(backbone)) > 1:
        backbone.own_pool = snapshot
        return _unpooled(backbone, pool, output_shape(backbone), features=False)
    _put_back(snapshot)
    try:
        shape = output_shape(backbone, features=True)
    except Exception:  # a model without such a method, or with several maps
        shape = ()
    if len(shape) > 1:
        return _unpooled(backbone, pool, shape, features=True)
    raise BackboneError(
        given=f"head.pool={pool}: {backbone.name} does not hand out one unpooled map",
        allowed="head.pool=avg (the model's own pooling)",
    )


def _unpooled(backbone: Backbone, pool: Pool, shape: tuple[int, ...], *, features: bool) -> Finish:
    if pool == "flatten":
        return Finish("flatten", features=features)
    return _reduce(backbone, "max", shape, features=features)


def _try_reset(backbone: Backbone, pool: str, snapshot: Snapshot) -> bool:
    """Set the pooling by timm's own means; False if the model has no such or loses parameters."""
    before = {name for name, _ in named_state(backbone.model)}
    reset: Any = getattr(backbone.model, "reset_classifier", None)
    try:
        reset(0, pool)
        output_shape(backbone)
    except Exception:  # whatever a model raises on a pooling it does not know
        _put_back(snapshot)
        return False
    return {name for name, _ in named_state(backbone.model)} == before


class _Entry(nn.Module):
    """A model entered at its features or as a whole."""

    def __init__(self, model: nn.Module, finish: Finish) -> None:
        super().__init__()
        self.model = model
        self.finish = finish

    def forward(self, x: Tensor) -> Tensor:
        return self.finish.of(self.model, x)


def output_shape(backbone: Backbone, *, features: bool = False) -> tuple[int, ...]:
    """Return the shape of the model's output for one image, without the batch axis.

    Args:
        backbone: The backbone.
        features: Whether its features are meant, before its head.
    """
    size = backbone.input.size_px
    image = torch.empty(1, 3, size, size, device="meta")
    entry = _Entry(backbone.model, Finish("none", features=features))
    with torch.no_grad(), held_in_eval(backbone.model):
        output = without_numbers(entry, meta_state(entry), image)
    return tuple(output.shape[1:])


def _reduce(
    backbone: Backbone,
    reduce: Literal["max", "mean"],
    shape: tuple[int, ...],
    *,
    features: bool = False,
) -> Finish:
    """Reduce tokens ``(N, T, F)``, or a map with its channels first or last."""
    if len(shape) + 1 == _TOKENS_NDIM:
        skip = int(getattr(backbone.model, "num_prefix_tokens", 0))
        return Finish(reduce, axes=(1,), skip_tokens=skip, features=features)
    channels = {getattr(backbone.model, name, 0) for name in ("num_features", "head_hidden_size")}
    last = shape[-1] in channels and shape[0] not in channels
    return Finish(reduce, axes=(1, 2) if last else (2, 3), features=features)
