"""Where a network looks: Grad-CAM on the last layer whose output is a spatial map.

For transformers the map consists of the image's tokens, taken at the entry of the last block: after
it the logits depend on the class token alone, and the gradient of all others is zero.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from frostline.backbones.backbone import Backbone
from frostline.backbones.map_shape import is_map_of, token_grid

Maps = NDArray[np.float32]
# A module that was called: its path, itself, the shape of its output.
Call = tuple[str, nn.Module, tuple[int, ...]]
_MAP_NDIM = 4
_TOKENS_NDIM = 3


@dataclass(frozen=True)
class Layer:
    """The layer that attributions are computed at.

    Attributes:
        path: Its path in the network.
        module: The layer.
        to_map: Its output to (N, C, H, W); None if it has that shape already.
    """

    path: str
    module: nn.Module
    to_map: Callable[[Tensor], Tensor] | None


def is_installed() -> bool:
    """Whether the package that computes attributions is there; it is no part of the base."""
    return find_spec("pytorch_grad_cam") is not None


def find_layer(network: nn.Module, backbone: Backbone) -> Layer | None:
    """Find the last layer with a spatial map by running one image; None if there is none.

    Args:
        network: Normalised images to logits, over the backbone's modules.
        backbone: Gives the width of its maps and the number of tokens that are no part of an image.
    """
    calls: list[Call] = []
    hooks = []
    for path, module in network.named_modules():
        hooks.append(module.register_forward_hook(_recording(calls, path)))
    try:
        device = next(network.parameters()).device
        with torch.no_grad():
            network(torch.zeros(1, *backbone.input.shape, device=device))
    finally:
        for hook in hooks:
            hook.remove()
    widths = {int(getattr(backbone.model, name, 0)) for name in ("num_features", "embed_dim")
              if isinstance(getattr(backbone.model, name, None), int)}  # fmt: skip
    extra = int(getattr(backbone.model, "num_prefix_tokens", 0))
    image = backbone.input.shape[1:]
    maps = [
        call for call in calls
        if len(call[2]) == _MAP_NDIM and _is_spatial(call[2], widths, image)
    ]  # fmt: skip
    tokens = [call for call in calls if min(_grid(call[2], extra, image)) > 1]
    if tokens and (not maps or calls.index(tokens[-1]) > calls.index(maps[-1])):
        return _token_layer(tokens, extra, image)
    if not maps:
        return None
    path, module, shape = maps[-1]
    is_last = _channels_last(shape, widths, image)
    return Layer(path, module, (lambda x: x.permute(0, 3, 1, 2)) if is_last else None)


def grad_cam(network: nn.Module, layer: Layer, images: Tensor, classes: NDArray[np.int64]) -> Maps:
    """Compute how much each position of an image contributes to a class.

    Args:
        network: Normalised images to logits.
        layer: From `find_layer`.
        images: (N, C, H, W) float, normalised.
        classes: (N) the class to explain.

    Returns:
        (N, H, W) in [0, 1], each image scaled to its own range; all 0 if nothing contributes.

    Source:
        Selvaraju et al., "Grad-CAM", ICCV 2017; computed by the package grad-cam, which may be
        missing: see `is_installed`.
    """
    from pytorch_grad_cam import GradCAM  # type: ignore[import-untyped]
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget  # type: ignore[import-untyped]

    targets = [ClassifierOutputTarget(int(label)) for label in classes.tolist()]
    with torch.enable_grad(), GradCAM(network, [layer.module], layer.to_map) as cam:
        # The weights are frozen, so the image must require the gradient that reaches the layer.
        maps = cam(input_tensor=images.detach().clone().requires_grad_(True), targets=targets)
    return np.asarray(maps, dtype=np.float32)


def share_off(maps: Maps, masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the share of each image's attribution that lies off its object.

    Args:
        maps: (N, H, W) >= 0.
        masks: (N, H, W), True on the object (the leaf).

    Returns:
        (N) in [0, 1]; NaN if there is no attribution at all.
    """
    total = maps.sum(axis=(1, 2), dtype=np.float64)
    off = np.where(masks, 0, maps).sum(axis=(1, 2), dtype=np.float64)
    return np.where(total > 0, off / np.where(total > 0, total, 1), np.nan)


def overlay(image: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Blend an image with its attribution: dark where it is 0, bright where it is highest.

    Args:
        image: (H, W, C).
        heat: (H, W) in [0, 1].
    """
    from matplotlib import colormaps

    colours = np.asarray(colormaps["inferno"](heat))[..., :3] * 255
    grey = image.mean(axis=2, keepdims=True)
    return np.asarray(np.clip(0.45 * grey + 0.6 * colours, 0, 255), dtype=np.uint8)


def _recording(calls: list[Call], path: str) -> Callable[..., None]:
    def record(module: nn.Module, _: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            calls.append((path, module, tuple(output.shape)))

    return record


def _token_layer(tokens: list[Call], extra: int, image: tuple[int, int]) -> Layer:
    """The norm at the entry of the last block, or the last layer that outputs tokens."""
    norms = [call for call in tokens if call[0].endswith(("norm1", "ln_1"))]
    path, module, shape = (norms or tokens)[-1]
    rows, columns = _grid(shape, extra, image)

    def to_map(x: Tensor) -> Tensor:
        return x[:, extra:].reshape(len(x), rows, columns, -1).permute(0, 3, 1, 2)

    return Layer(path, module, to_map)


def _grid(shape: tuple[int, ...], extra: int, image: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns that an output's tokens form; zeros if they form none."""
    return token_grid(shape[1] - extra, image) if len(shape) == _TOKENS_NDIM else (0, 0)


def _is_spatial(shape: tuple[int, ...], widths: set[int], image: tuple[int, int]) -> bool:
    size = shape[1:3] if _channels_last(shape, widths, image) else shape[2:4]
    # Attention weights (N, heads, T, T) pass too, but maps or tokens always follow them.
    return min(size) > 1 and is_map_of(size, image)


def _channels_last(shape: tuple[int, ...], widths: set[int], image: tuple[int, int]) -> bool:
    return is_map_of(shape[1:3], image) and shape[3] in widths and shape[1] not in widths
