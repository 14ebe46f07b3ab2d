"""One pass of a pretrained backbone over images: pooled outputs of all its stages."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from frostline.backbones.build import Backbone
from frostline.backbones.pooling import set_pool
from frostline.backbones.spec import Boundary
from frostline.backbones.stage_scale import time_of
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
        pixels: (N, 192) the images shrunk to 8 x 8: what there is before the first stage.
        stages: For each stage, 1 to S, its output pooled to (N, C); the last is what a classifier
            would be given.
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
    """Run a backbone once over images and keep the mean of every stage's output.

    Args:
        backbone: In eval mode while it runs; nothing in it changes.
        images: Rows to (n, S, S, 3) uint8 at the backbone's own size.
        rows: (N) which images, in this order.
        on_batch: Told after each batch how many images are done.
    """
    keep_freed_memory()
    finish = set_pool(backbone, "avg")
    mean = torch.tensor(backbone.input.mean).view(1, 3, 1, 1)
    std = torch.tensor(backbone.input.std).view(1, 3, 1, 1)
    model = backbone.model.to(memory_format=torch.channels_last)
    was_training = model.training
    pixels: list[Tensor] = []
    pooled: list[list[Tensor]] = [[] for _ in backbone.stages]
    ends = [stage.end for stage in backbone.stages]
    kept: dict[int, Tensor] = {}
    model.eval()
    try:
        with torch.inference_mode(), _kept_ends(backbone, ends, kept):
            for start in range(0, len(rows), BATCH):
                batch = torch.from_numpy(images(rows[start : start + BATCH])).permute(0, 3, 1, 2)
                values = batch.float() / 255
                pixels.append(nn.functional.adaptive_avg_pool2d(values, PIXELS_SIDE).flatten(1))
                ready = ((values - mean) / std).contiguous(memory_format=torch.channels_last)
                kept.clear()
                output = finish.of(model, ready)
                for number, stage in enumerate(backbone.stages):
                    if stage.end is not None and number in kept:
                        pooled[number].append(kept[number])
                pooled[-1].append(output.float())
                on_batch(min(start + BATCH, len(rows)))
    finally:
        model.train(was_training)
    return StageFeatures(_array(pixels), tuple(_array(parts) for parts in pooled))


@contextmanager
def _kept_ends(
    backbone: Backbone, ends: list[Boundary | None], kept: dict[int, Tensor]
) -> Iterator[None]:
    """Keep the mean of what passes the end of each stage while the block runs, by its place.

    The mean is taken at once: later modules may write into the very tensor.
    """
    handles = []
    for number, end in enumerate(ends):
        if end is None:
            continue
        module = backbone.model.get_submodule(_called(backbone, end))
        if end.edge == "exit":

            def keep_output(_: Any, __: Any, output: Any, number: int = number) -> None:
                kept[number] = _pooled(_first(output), backbone)

            handles.append(module.register_forward_hook(keep_output))
        else:

            def keep_input(_: Any, args: Any, number: int = number) -> None:
                kept.setdefault(number, _pooled(_first(args), backbone))

            handles.append(module.register_forward_pre_hook(keep_input))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _called(backbone: Backbone, end: Boundary) -> str:
    """The module at a boundary that is called itself: lists of modules are not."""
    times = backbone.timeline.enter if end.edge == "enter" else backbone.timeline.exit
    time = time_of(end, backbone.timeline)
    inner = [path for path in times if times[path] == time and path.startswith(f"{end.module}.")]
    return max(inner, key=len) if inner else end.module


def _first(value: Any) -> Tensor:
    """The first tensor in what a module takes or gives."""
    while not isinstance(value, Tensor):
        value = next(iter(value.values() if isinstance(value, dict) else value))
    return value


def _pooled(output: Tensor, backbone: Backbone) -> Tensor:
    """The mean over places of a map (N, C, H, W) or (N, H, W, C), or of tokens (N, T, C)."""
    if output.ndim == _MAP_NDIM:
        # Channels stand last where the two other axes are equal and the first is one of them.
        last = output.shape[1] == output.shape[2] != output.shape[3]
        return output.mean(dim=(1, 2) if last else (2, 3)).float()
    if output.ndim == _TOKENS_NDIM:
        skip = int(getattr(backbone.model, "num_prefix_tokens", 0))
        return output[:, skip if output.shape[1] > skip else 0 :].mean(dim=1).float()
    return output.flatten(1).float()


def _array(parts: list[Tensor]) -> Floats:
    return np.asarray(torch.cat(parts).numpy(), dtype=np.float64) if parts else np.empty((0, 0))
