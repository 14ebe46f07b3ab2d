"""Pooled outputs of all stages of a backbone, from one pass over images."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from frostline.backbones.backbone import Backbone
from frostline.backbones.map_shape import is_map_of
from frostline.backbones.pooling import set_pool
from frostline.backbones.spec import Boundary
from frostline.backbones.stage_boundaries import time_of
from frostline.training.allocator import keep_freed_memory

Floats = NDArray[np.float64]
BATCH = 32
PIXELS_SIDE = 8
_MAP_NDIM = 4
_TOKENS_NDIM = 3


@dataclass(frozen=True)
class StageFeatures:
    """Features of N images.

    Attributes:
        pixels: (N, 192) the images shrunk to 8 x 8, as the features before the first stage.
        stages: For each stage, 1 to S, its output pooled to (N, C); the last is the input of a
            classifier.
    """

    pixels: Floats
    stages: tuple[Floats, ...]


def stage_features(
    backbone: Backbone,
    images: Callable[[NDArray[np.int64]], NDArray[np.uint8]],
    rows: NDArray[np.int64],
    *,
    on_batch: Callable[[int], None] = lambda _: None,
) -> StageFeatures:
    """Run a backbone once over images and collect the mean of every stage's output.

    Args:
        backbone: Put in eval mode while it runs; otherwise unchanged.
        images: Rows to (n, S, S, 3) uint8 at the backbone's own size.
        rows: (N) which images, in this order.
        on_batch: Receives the number of images done after each batch.
    """
    keep_freed_memory()
    pooling = set_pool(backbone, "avg")
    mean = torch.tensor(backbone.input.mean).view(1, 3, 1, 1)
    std = torch.tensor(backbone.input.std).view(1, 3, 1, 1)
    model = backbone.model.to(memory_format=torch.channels_last)
    was_training = model.training
    pixels: list[Tensor] = []
    pooled: list[list[Tensor]] = [[] for _ in backbone.stages]
    ends = [stage.end for stage in backbone.stages]
    means: dict[int, Tensor] = {}
    model.eval()
    try:
        with torch.inference_mode(), _hooked_ends(backbone, ends, means):
            for start in range(0, len(rows), BATCH):
                batch = torch.from_numpy(images(rows[start : start + BATCH])).permute(0, 3, 1, 2)
                values = batch.float() / 255
                pixels.append(nn.functional.adaptive_avg_pool2d(values, PIXELS_SIDE).flatten(1))
                ready = ((values - mean) / std).contiguous(memory_format=torch.channels_last)
                means.clear()
                output = pooling.run(model, ready)
                for number, stage in enumerate(backbone.stages):
                    if stage.end is not None and number in means:
                        pooled[number].append(means[number])
                pooled[-1].append(output.float())
                on_batch(min(start + BATCH, len(rows)))
    finally:
        model.train(was_training)
    return StageFeatures(_array(pixels), tuple(_array(parts) for parts in pooled))


@contextmanager
def _hooked_ends(
    backbone: Backbone, ends: list[Boundary | None], means: dict[int, Tensor]
) -> Iterator[None]:
    """Collect the mean of each stage's output in `means` by the stage's index, by forward hooks.

    The mean is taken at once, since later modules may write into the same tensor in place.
    """
    handles = []
    for number, end in enumerate(ends):
        if end is None:
            continue
        module = backbone.model.get_submodule(_hookable(backbone, end))
        if end.edge == "exit":

            def on_output(_: Any, __: Any, output: Any, number: int = number) -> None:
                means[number] = _pooled(_first(output), backbone)

            handles.append(module.register_forward_hook(on_output))
        else:

            def on_input(_: Any, args: Any, number: int = number) -> None:
                means.setdefault(number, _pooled(_first(args), backbone))

            handles.append(module.register_forward_pre_hook(on_input))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _hookable(backbone: Backbone, end: Boundary) -> str:
    """Path of a module at the boundary whose forward is called; a ModuleList's is not."""
    times = backbone.timeline.enter if end.edge == "enter" else backbone.timeline.exit
    time = time_of(end, backbone.timeline)
    inner = [path for path in times if times[path] == time and path.startswith(f"{end.module}.")]
    return max(inner, key=len) if inner else end.module


def _first(value: Any) -> Tensor:
    """The first tensor in a module's input or output."""
    while not isinstance(value, Tensor):
        value = next(iter(value.values() if isinstance(value, dict) else value))
    return value


def _pooled(output: Tensor, backbone: Backbone) -> Tensor:
    """The spatial mean of a map (N, C, H, W) or (N, H, W, C), or of tokens (N, T, C)."""
    if output.ndim == _MAP_NDIM:
        # Channels are last where the axes before them have the proportions of the image alone.
        image = backbone.input.shape[1:]
        shape = tuple(output.shape)
        last = is_map_of(shape[1:3], image) and not is_map_of(shape[2:4], image)
        return output.mean(dim=(1, 2) if last else (2, 3)).float()
    if output.ndim == _TOKENS_NDIM:
        skip = int(getattr(backbone.model, "num_prefix_tokens", 0))
        return output[:, skip if output.shape[1] > skip else 0 :].mean(dim=1).float()
    return output.flatten(1).float()


def _array(parts: list[Tensor]) -> Floats:
    return np.asarray(torch.cat(parts).numpy(), dtype=np.float64) if parts else np.empty((0, 0))
