"""Classify image files with a network, in batches, in the fastest precision that agrees."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from frostline.cores import usable_cores
from frostline.data.deep_pixels import ValueRange
from frostline.data.geometry import Geometry
from frostline.data.transforms import BatchTransform, apply_views
from frostline.features.compute import precision_context
from frostline.inference.answer import Answer
from frostline.inference.image_files import decode_batches
from frostline.inference.rebuild import Network

if TYPE_CHECKING:  # most predictions are made without
    from frostline.inference.trust.trust import Trust

# With fewer images, timing both precisions costs more than it gains.
MIN_IMAGES_FOR_PROBE = 512
# bfloat16 must be this much faster, with the same classes and almost the same probabilities.
MIN_SPEEDUP = 1.15
MAX_DIFFERENCE = 0.02
_PROBE_REPEATS = 2


@dataclass
class Predictor:
    """Images to probabilities on one device.

    Attributes:
        network: Normalised images (B, 3, S, S) to logits (B, K).
        preprocess: Decoded squares to normalised images.
        geometry: How an image becomes a square.
        accelerator: `cpu`, `cuda` or `mps`.
        precision: `auto`, `32-true` or `bf16-mixed`; `auto` is decided on the first batch.
        value_range: What is black and white in images of more than 8 bits.
        trust: What else is said of each image; None for nothing. The network is then a run's own.
        n_views: Views of each image over which the probabilities are averaged: see
            `frostline.data.transforms.apply_views`.
    """

    network: nn.Module
    preprocess: BatchTransform
    geometry: Geometry
    accelerator: str
    precision: str
    value_range: ValueRange | None = None
    trust: "Trust | None" = None
    n_views: int = 1

    def __post_init__(self) -> None:
        self.network = self.network.to(self.accelerator).to(memory_format=torch.channels_last)
        self.preprocess = self.preprocess.to(self.accelerator)

    def probabilities(self, squares: NDArray[np.uint8]) -> Tensor:
        """Classify squares (B, S, S, 3) uint8: probabilities (B, K) float32 on the CPU."""
        return self._probabilities(squares, "32-true" if self.precision == "auto" else None)

    def answers(
        self,
        paths: Sequence[Path],
        *,
        top: int,
        batch_size: int,
        advance: Callable[[int], object] = lambda _: None,
    ) -> Iterator[Answer]:
        """Classify files, in their order.

        Args:
            paths: The files.
            top: Number of classes in an answer.
            batch_size: Images at a time.
            advance: Receives the number of files after each batch.
        """
        if self.precision == "auto" and len(paths) < MIN_IMAGES_FOR_PROBE:
            self.precision = "32-true"
        threads = usable_cores()
        for batch in decode_batches(
            paths,
            self.geometry,
            batch_size=batch_size,
            threads=threads,
            value_range=self.value_range,
        ):
            rows: Iterator[Answer] = iter(())
            if len(batch.images):
                if self.precision == "auto":
                    self.precision = self._faster_precision(batch.images)
                rows = iter(self._judged(batch.images, top))
            for position, path in enumerate(batch.paths):
                if batch.good[position]:
                    yield replace(next(rows), path=path)
                else:
                    yield Answer(path, (), (), batch.errors[position])
            advance(len(batch.paths))

    def features(self, squares: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What the head gets of squares (B, S, S, C) uint8, in float32: (B, F)."""
        return self._features(self._images(squares))

    def _features(self, images: Tensor) -> NDArray[np.float32]:
        network = self.network
        assert isinstance(network, Network)
        with torch.inference_mode(), precision_context(self.accelerator, "32-true"):
            features: Tensor = network.features(self.preprocess.normalise(images))
        return features.float().flatten(1).cpu().numpy()

    def _images(self, squares: NDArray[np.uint8]) -> Tensor:
        # The squares are in channels-last order already, so permute copies nothing.
        return torch.from_numpy(squares).permute(0, 3, 1, 2).to(self.accelerator)

    def _views(self, squares: NDArray[np.uint8]) -> Iterator[Tensor]:
        """Each view of squares (B, S, S, C) uint8: (B, C, S, S) uint8; the first is the image."""
        images = self._images(squares)
        for view in range(self.n_views):
            views = torch.full((len(images),), view, device=images.device)
            yield apply_views(images, views, self.n_views)

    def _judged(self, squares: NDArray[np.uint8], top: int) -> list[Answer]:
        """The answers for squares, without their paths."""
        if self.trust is None:
            best = self.probabilities(squares).topk(top)
            pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
            return [Answer(Path(), tuple(classes), tuple(probs)) for classes, probs in pairs]
        network = self.network
        assert isinstance(network, Network)
        each = [self._features(images) for images in self._views(squares)]
        with torch.inference_mode():
            logits = [network.head(torch.from_numpy(one).to(self.accelerator)) for one in each]
        return self.trust.answers(_mean_probabilities(logits), each[0], top)

    def _probabilities(self, squares: NDArray[np.uint8], precision: str | None) -> Tensor:
        with (
            torch.inference_mode(),
            precision_context(self.accelerator, precision or self.precision),
        ):
            each = [self.network(self.preprocess.normalise(one)) for one in self._views(squares)]
        return _mean_probabilities(each)

    def _faster_precision(self, squares: NDArray[np.uint8]) -> str:
        """bfloat16 if it is clearly faster and its predictions agree, else float32."""
        took_s, probs = {}, {}
        for precision in ("32-true", "bf16-mixed"):
            for _ in range(_PROBE_REPEATS):
                start_s = time.perf_counter()
                probs[precision] = self._probabilities(squares, precision)
                took_s[precision] = time.perf_counter() - start_s
        full, reduced = probs["32-true"], probs["bf16-mixed"]
        agrees = torch.equal(full.argmax(1), reduced.argmax(1)) and bool(
            (full - reduced).abs().max() <= MAX_DIFFERENCE
        )
        faster = took_s["32-true"] > MIN_SPEEDUP * took_s["bf16-mixed"]
        return "bf16-mixed" if agrees and faster else "32-true"


def _mean_probabilities(logits: Sequence[Tensor]) -> Tensor:
    """Logits of each view (B, K) to the mean of their probabilities, (B, K) float32 on the CPU."""
    each = [torch.softmax(one.float(), dim=1) for one in logits]
    return (each[0] if len(each) == 1 else torch.stack(each).mean(dim=0)).cpu()
