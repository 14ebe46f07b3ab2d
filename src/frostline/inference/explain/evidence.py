"""Write all evidence of a run on one set of images, bounded in time and size.

`light`: tables, calibration and the worst errors, in a fraction of a second. `full`: also figures
and attributions.
"""

import json
from pathlib import Path
from typing import Any

from frostline.inference.explain.attribution_sheet import write_attributions
from frostline.inference.explain.calibration import calibrate, fit_temperature
from frostline.inference.explain.confusion import count_confusions, write_confusion
from frostline.inference.explain.gallery import draw_gallery
from frostline.inference.explain.subject import Subject

MAX_PAIRS = 50
MAX_ERRORS = {"light": 12, "full": 24}
COLUMNS = 6


def write_evidence(subject: Subject, folder: Path, *, level: str) -> dict[str, float]:
    """Write the evidence of a run.

    Args:
        subject: Images, predictions and network.
        folder: Where the files go; created if missing.
        level: `light` or `full`.

    Returns:
        Its values: `ece`, and where they can be computed `temperature`, `ece_scaled`,
        `off_leaf_right`, `off_leaf_wrong` and `off_leaf_area`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    predictions = subject.predictions
    counts = count_confusions(predictions.labels, predictions.predicted, len(subject.classes))
    write_confusion(folder, counts, subject.classes, MAX_PAIRS)
    values = _write_calibration(subject, folder, with_figure=level == "full")
    gallery = draw_gallery(
        predictions,
        subject.classes,
        subject.square,
        limit=MAX_ERRORS[level],
        columns=COLUMNS,
        title_suffix=subject.title_suffix,
    )
    if gallery is not None:
        gallery.save(folder / "worst_errors.jpg", quality=88, optimize=True)
    if level == "full":
        from frostline.inference.explain.evidence_figures import confusion_figure, curves_figure

        confusion_figure(counts, subject.classes, folder / "confusion.png")
        if subject.history:
            curves_figure(subject.history, folder / "learning_curves.png")
        values |= write_attributions(subject, folder)
    (folder / "evidence.json").write_text(json.dumps(values, indent=2), encoding="utf-8")
    return values


def _write_calibration(subject: Subject, folder: Path, *, with_figure: bool) -> dict[str, float]:
    before = calibrate(subject.predictions)
    values = {"ece": before.ece}
    content: dict[str, Any] = {"as_trained": before.as_dict()}
    after, temperature = None, 1.0
    if subject.validation is not None and len(subject.validation.labels):
        temperature = fit_temperature(subject.validation)
        after = calibrate(subject.predictions, temperature=temperature)
        values |= {"temperature": temperature, "ece_scaled": after.ece}
        content |= {"temperature": temperature, "scaled": after.as_dict()}
    (folder / "calibration.json").write_text(json.dumps(content, indent=2), encoding="utf-8")
    if with_figure:
        from frostline.inference.explain.evidence_figures import reliability_figure

        reliability_figure(before, after, temperature, folder / "reliability.png")
    return values
