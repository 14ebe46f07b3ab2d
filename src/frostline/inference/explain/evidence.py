"""All evidence of a run on one set of images, bounded in time and size.

`light`: tables, calibration and the worst errors, a fraction of a second. `full`: the figures, too,
and attributions.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from frostline.backbones.build import Backbone
from frostline.data.geometry import Geometry, square
from frostline.data.sample_table import SampleTable
from frostline.data.transforms import BatchTransform
from frostline.inference.explain.calibration import calibrate, fit_temperature
from frostline.inference.explain.confusion import count_confusions, write_confusion
from frostline.inference.explain.gallery import draw_gallery
from frostline.stats.predictions import Predictions

MAX_PAIRS = 50
MAX_ERRORS = {"light": 12, "full": 24}
COLUMNS = 6


@dataclass(frozen=True)
class Subject:
    """What evidence is about.

    Attributes:
        table: The images.
        classes: K names.
        predictions: What was said about some of its images, N > 0.
        geometry: How an image becomes what the network sees.
        network: Normalised images (B, 3, S, S) to logits (B, K).
        backbone: The backbone within it.
        preprocess: Decoded squares to normalised images.
        validation: What was said about the validation images, for the temperature; None if unknown.
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
    def remark(self) -> str:
        """What every picture of these images says of them."""
        return " - drawings, not photos" if any("drawings" in n for n in self.table.notes) else ""

    def square(self, item: str) -> NDArray[np.uint8]:
        """An image as the network sees it, before normalisation: (S, S, 3)."""
        return square(self.table.open_image(item), self.geometry)


def write_evidence(subject: Subject, folder: Path, *, level: str) -> dict[str, float]:
    """Write the evidence of a run.

    Args:
        subject: What it is about.
        folder: Where the files go; made if need be.
        level: `light` or `full`.

    Returns:
        Its figures: `ece`, and where they are known `temperature`, `ece_scaled`, `off_leaf_right`,
        `off_leaf_wrong` and `off_leaf_area`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    said = subject.predictions
    counts = count_confusions(said.labels, said.predicted, len(subject.classes))
    write_confusion(folder, counts, subject.classes, MAX_PAIRS)
    figures = _write_calibration(subject, folder, drawn=level == "full")
    gallery = draw_gallery(
        said,
        subject.classes,
        subject.square,
        limit=MAX_ERRORS[level],
        columns=COLUMNS,
        remark=subject.remark,
    )
    if gallery is not None:
        gallery.save(folder / "worst_errors.jpg", quality=88, optimize=True)
    if level == "full":
        from frostline.inference.explain.attribution_sheet import write_attributions
        from frostline.inference.explain.evidence_figures import confusion_figure, curves_figure

        confusion_figure(counts, subject.classes, folder / "confusion.png")
        if subject.history:
            curves_figure(subject.history, folder / "learning_curves.png")
        figures |= write_attributions(subject, folder)
    (folder / "evidence.json").write_text(json.dumps(figures, indent=2), encoding="utf-8")
    return figures


def _write_calibration(subject: Subject, folder: Path, *, drawn: bool) -> dict[str, float]:
    before = calibrate(subject.predictions)
    figures = {"ece": before.ece}
    content: dict[str, Any] = {"as_trained": before.as_dict()}
    after, temperature = None, 1.0
    if subject.validation is not None and len(subject.validation.labels):
        temperature = fit_temperature(subject.validation)
        after = calibrate(subject.predictions, temperature=temperature)
        figures |= {"temperature": temperature, "ece_scaled": after.ece}
        content |= {"temperature": temperature, "scaled": after.as_dict()}
    (folder / "calibration.json").write_text(json.dumps(content, indent=2), encoding="utf-8")
    if drawn:
        from frostline.inference.explain.evidence_figures import reliability_figure

        reliability_figure(before, after, temperature, folder / "reliability.png")
    return figures
