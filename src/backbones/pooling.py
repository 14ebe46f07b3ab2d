"""How a backbone's map becomes features: its own pooling, the maximum, or the whole map."""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from src.backbones.build import Backbone
from src.backbones.frozen import named_state
from src.backbones.timeline import held_in_eval, meta_state, without_numbers
from src.errors import BackboneError

Pool = Literal["avg", "max", "flatten"]
_TOKENS_NDIM = 3


class Finish(nn.Module):
    """What is done with the model's output so that features ``(N, F)`` come out.

    Args:
        reduce: ``none``, ``flatten``, ``max`` or ``mean``.
        axes: Axes that a maximum or mean is taken over, the batch axis being 0.
        skip_tokens: Class and register tokens that it leaves out.
    """

    def __init__(
        self,
        reduce: Literal["none", "flatten", "max", "mean"],
        axes: tuple[int, ...] = (),
        skip_tokens: int = 0,
    ) -> None:
        super().__init__()
        self.reduce = reduce
        self.axes = axes
        self.skip_tokens = skip_tokens

    def forward(self, y: Tensor) -> Tensor:
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
        shape = output_shape(backbone)
        return Finish("flatten") if pool == "flatten" else _reduce(backbone, "max", shape)
    _put_back(snapshot)
    raise BackboneError(
        given=f"head.pool={pool}: {backbone.name} does not hand out an unpooled map",
        allowed="head.pool=avg (the model's own pooling)",
    )


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


def output_shape(backbone: Backbone) -> tuple[int, ...]:
    """Return the shape of the model's output for one image, without the batch axis."""
    size = backbone.input.size_px
    image = torch.empty(1, 3, size, size, device="meta")
    with torch.no_grad(), held_in_eval(backbone.model):
        output = without_numbers(backbone.model, meta_state(backbone.model), image)
    return tuple(output.shape[1:])


def _reduce(backbone: Backbone, reduce: Literal["max", "mean"], shape: tuple[int, ...]) -> Finish:
    """Reduce tokens ``(N, T, F)``, or a map with its channels first or last."""
    if len(shape) + 1 == _TOKENS_NDIM:
        skip = int(getattr(backbone.model, "num_prefix_tokens", 0))
        return Finish(reduce, axes=(1,), skip_tokens=skip)
    channels = {getattr(backbone.model, name, 0) for name in ("num_features", "head_hidden_size")}
    last = shape[-1] in channels and shape[0] not in channels
    return Finish(reduce, axes=(1, 2) if last else (2, 3))
