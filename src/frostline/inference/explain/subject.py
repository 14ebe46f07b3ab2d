"""What evidence is about: images, the predictions on them, and the network that made these."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import nn

from frostline.backbones.backbone import Backbone
from frostline.data.geometry import Geometry, square
from frostline.data.sample_table import SampleTable
from frostline.data.transforms import BatchTransform
from frostline.stats.predictions import Predictions


@dataclass(frozen=True)
class Subject:
    """One set of images with a network's predictions.

    Attributes:
        table: The images.
        classes: K names.
        predictions: Of N > 0 of its images.
        geometry: How an image becomes the square that the network takes.
        network: Normalised images (B, C, S, S) to logits (B, K).
        backbone: The backbone within the network.
        preprocess: Decoded squares to normalised images.
        validation: Predictions of the validation images, for the temperature; None if unknown.
        history: Metric to its value at each epoch; empty if unknown.
    """

    table: SampleTable
    classes: tuple[str, ...]
    predictions: Predictions
    geometry: Geometry
    network: nn.Module
    backbone: Backbone
    preprocess: BatchTransform
    validation: Predictions | None = None
    history: Mapping[str, Mapping[int, float]] = field(default_factory=dict)

    @property
    def title_suffix(self) -> str:
        """Added to the title of every picture, so that drawings are not taken for photos."""
        return " - drawings, not photos" if any("drawings" in n for n in self.table.notes) else ""

    def square(self, item: str) -> NDArray[np.uint8]:
        """Return an image as the network takes it, before normalisation: (S, S, C)."""
        return square(self.table.open_image(item), self.geometry)
