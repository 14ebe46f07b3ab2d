"""A network over image files: batches, the best precision of the machine, rows of answers."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from frostline.cores import usable_cores
from frostline.data.geometry import Geometry
from frostline.data.transforms import BatchTransform
from frostline.features.compute import precision_context
from frostline.inference.image_files import decode_batches

# With fewer images a probe of the precisions costs more than it gains.
LEAST_IMAGES_FOR_PROBE = 512
# A lower precision must be this much faster, and say the same about the probe's images.
LEAST_GAIN = 1.15
MOST_DIFFERENCE = 0.02
_PROBE_REPEATS = 2


@dataclass(frozen=True)
class Answer:
    """What was said about one file.

    Attributes:
        path: The file.
        top: The most probable classes, first the most probable: indices.
        probs: Their probabilities.
        error: Why it could not be read; empty otherwise.
    """

    path: Path
    top: tuple[int, ...]
    probs: tuple[float, ...]
    error: str = ""


@dataclass
class Predictor:
    """Images to probabilities on one device.

    Attributes:
        network: Normalised images (B, 3, S, S) to logits (B, K).
        preprocess: Decoded squares to normalised images.
        geometry: How an image becomes a square.
        accelerator: `cpu`, `cuda` or `mps`.
        precision: `auto`, `32-true` or `bf16-mixed`; `auto` is decided on the first whole batch.
    """

    network: nn.Module
    preprocess: BatchTransform
    geometry: Geometry
    accelerator: str
    precision: str

    def __post_init__(self) -> None:
        self.network = self.network.to(self.accelerator).to(memory_format=torch.channels_last)
        self.preprocess = self.preprocess.to(self.accelerator)

    def probabilities(self, squares: NDArray[np.uint8]) -> Tensor:
        """(B, S, S, 3) uint8 to probabilities (B, K) float32 on the CPU."""
        return self._probabilities(squares, "32-true" if self.precision == "auto" else None)

    def answers(
        self,
        paths: Sequence[Path],
        *,
        top: int,
        batch_size: int,
        advance: Callable[[int], object] = lambda _: None,
    ) -> Iterator[Answer]:
        """What is said about each file, in their order.

        Args:
            paths: The files.
            top: How many classes are named.
            batch_size: Images at a time.
            advance: Told the number of files after each batch.
        """
        if self.precision == "auto" and len(paths) < LEAST_IMAGES_FOR_PROBE:
            self.precision = "32-true"
        threads = usable_cores()
        for batch in decode_batches(paths, self.geometry, batch_size=batch_size, threads=threads):
            rows: Iterator[tuple[list[int], list[float]]] = iter(())
            if len(batch.images):
                if self.precision == "auto":
                    self.precision = self._faster(batch.images)
                best = self.probabilities(batch.images).topk(top)
                rows = zip(best.indices.tolist(), best.values.tolist(), strict=True)
            for place, path in enumerate(batch.paths):
                if batch.good[place]:
                    classes, probs = next(rows)
                    yield Answer(path, tuple(classes), tuple(probs))
                else:
                    yield Answer(path, (), (), batch.errors[place])
            advance(len(batch.paths))

    def _probabilities(self, squares: NDArray[np.uint8], precision: str | None) -> Tensor:
        # Channels last is how the squares lie in memory, so nothing is copied.
        images = torch.from_numpy(squares).permute(0, 3, 1, 2).to(self.accelerator)
        with (
            torch.inference_mode(),
            precision_context(self.accelerator, precision or self.precision),
        ):
            logits = self.network(self.preprocess.normalise(images))
        return torch.softmax(logits.float(), dim=1).cpu()

    def _faster(self, squares: NDArray[np.uint8]) -> str:
        """bfloat16 where it is clearly faster and says the same, else float32."""
        took_s, said = {}, {}
        for precision in ("32-true", "bf16-mixed"):
            for _ in range(_PROBE_REPEATS):
                begun = time.perf_counter()
                said[precision] = self._probabilities(squares, precision)
                took_s[precision] = time.perf_counter() - begun
        exact, short = said["32-true"], said["bf16-mixed"]
        agrees = torch.equal(exact.argmax(1), short.argmax(1)) and bool(
            (exact - short).abs().max() <= MOST_DIFFERENCE
        )
        faster = took_s["32-true"] > LEAST_GAIN * took_s["bf16-mixed"]
        return "bf16-mixed" if agrees and faster else "32-true"
