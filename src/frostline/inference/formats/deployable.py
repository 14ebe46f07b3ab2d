"""The exported module, from raw pixels to logits and probabilities, and its check on images."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from frostline.data.channels import Picture
from frostline.errors import FrostlineError
from frostline.inference.rebuild import Rebuilt

# Largest difference of a logit that an export may have.
TOLERANCE = 1e-3
INPUT = "images"
OUTPUTS = ("logits", "probabilities")


class ExportError(FrostlineError):
    """A run that cannot be exported, or whose export does not agree with PyTorch."""


class Deployable(nn.Module):
    """The network with its normalisation, so that users of an export need not repeat it.

    Args:
        rebuilt: The run.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, rebuilt: Rebuilt) -> None:
        super().__init__()
        features: Any = rebuilt.network.features
        self.model = features.model
        self.pooling = features.pooling
        self.head = rebuilt.head
        self.register_buffer("scale", rebuilt.preprocess.scale.detach().clone())
        self.register_buffer("shift", rebuilt.preprocess.shift.detach().clone())

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Compute logits and probabilities, (N, K) float32, of squares (N, C, S, S) uint8."""
        normalised = images.to(torch.float32) * self.scale + self.shift
        logits: Tensor = self.head(self.pooling.run(self.model, normalised))
        return logits, torch.softmax(logits, dim=1)


@dataclass(frozen=True)
class Sample:
    """Real images that an export is checked on.

    Attributes:
        squares: (N, C, S, S) uint8, N > 1.
        logits: (N, K) float32, by PyTorch.
        names: (N) names of the images.
        originals: The first of them as they were before they became squares; `predict.py` is tried
            on them.
    """

    squares: NDArray[np.uint8]
    logits: NDArray[np.float32]
    names: tuple[str, ...]
    originals: tuple[Picture, ...] = ()


def take_sample(
    rebuilt: Rebuilt,
    squares: NDArray[np.uint8],
    names: tuple[str, ...],
    originals: tuple[Picture, ...] = (),
) -> Sample:
    """Compute PyTorch's logits of images (N, S, S, C) uint8."""
    images = np.ascontiguousarray(squares.transpose(0, 3, 1, 2))
    with torch.inference_mode():
        logits, _ = Deployable(rebuilt).eval()(torch.from_numpy(images))
    return Sample(images, logits.numpy(), names, originals)


@contextmanager
def running(what: str) -> Iterator[None]:
    """Say what could not be run where a format's own runtime raises.

    Args:
        what: Such as `the ONNX file`.

    Raises:
        ExportError: In the place of any other error, such as of an operator that a runtime lacks,
            or of a number of images that was written down as fixed.
    """
    try:
        yield
    except Exception as error:
        text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
        raise ExportError(
            f"{what} was written, but cannot be run: {type(error).__name__}: {text}",
            todo="please report the backbone and the versions; another --format may work",
        ) from error


def largest_difference(sample: Sample, logits: NDArray[np.float32], what: str) -> float:
    """Return the largest difference of a logit from PyTorch's.

    Raises:
        ExportError: If it is above the tolerance.
    """
    gap = float(np.abs(np.asarray(logits, dtype=np.float32) - sample.logits).max())
    if not gap <= TOLERANCE:
        raise ExportError(
            f"{what} disagrees with PyTorch: logits differ by up to {gap:.3g} on "
            f"{len(sample.names)} images",
            f"at most {TOLERANCE:g}",
            "please report the backbone and the versions; another --format may work",
        )
    return gap
