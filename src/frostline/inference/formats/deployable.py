"""The exported module, from raw pixels to logits and probabilities, and its check on images."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

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
        """Compute logits and probabilities, (N, K) float32, of RGB squares (N, 3, S, S) uint8."""
        normalised = images.to(torch.float32) * self.scale + self.shift
        logits: Tensor = self.head(self.pooling.run(self.model, normalised))
        return logits, torch.softmax(logits, dim=1)


@dataclass(frozen=True)
class Sample:
    """Real images that an export is checked on.

    Attributes:
        squares: (N, 3, S, S) uint8, N > 1.
        logits: (N, K) float32, by PyTorch.
        names: (N) names of the images.
    """

    squares: NDArray[np.uint8]
    logits: NDArray[np.float32]
    names: tuple[str, ...]


def take_sample(rebuilt: Rebuilt, squares: NDArray[np.uint8], names: tuple[str, ...]) -> Sample:
    """Compute PyTorch's logits of images (N, S, S, 3) uint8."""
    images = np.ascontiguousarray(squares.transpose(0, 3, 1, 2))
    with torch.inference_mode():
        logits, _ = Deployable(rebuilt).eval()(torch.from_numpy(images))
    return Sample(images, logits.numpy(), names)


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


def describe(rebuilt: Rebuilt) -> dict[str, Any]:
    """Describe preprocessing, classes and origin as plain values: metadata of every format."""
    spec, geometry = rebuilt.backbone.input, rebuilt.geometry
    record = rebuilt.record
    return {
        "run": rebuilt.name,
        "run_id": record.run_id if record else "",
        "backbone": rebuilt.backbone.name,
        "classes": list(rebuilt.classes),
        "preprocessing": {
            "colour": "RGB",
            "size_px": geometry.size_px,
            "crop_pct": geometry.crop_pct,
            "crop_mode": geometry.crop_mode,
            "interpolation": geometry.interpolation,
            "mean": list(spec.mean),
            "std": list(spec.std),
            "steps": "resize as crop_mode says to size_px / crop_pct, crop the centre of size_px",
        },
    }


def describe_as_text(rebuilt: Rebuilt) -> dict[str, str]:
    """Describe the run as texts, for formats whose metadata are texts."""
    return {
        key: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for key, value in describe(rebuilt).items()
    }
