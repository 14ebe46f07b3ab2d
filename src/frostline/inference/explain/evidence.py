"""Write all evidence of a run on one set of images, bounded in time and size.

`light`: tables, calibration and the worst errors, in a fraction of a second. `full`: also figures
and attributions.
"""

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from frostline.backbones.pooling import Pool, set_pool
from frostline.backbones.split.cut import WholeModel
from frostline.data.contact_sheet import contact_sheet
from frostline.errors import FrostlineError
from frostline.inference.explain.attribution_sheet import write_attributions
from frostline.inference.explain.calibration import calibrate, fit_temperature
from frostline.inference.explain.confusion import count_confusions, write_confusion
from frostline.inference.explain.gallery import draw_gallery
from frostline.inference.explain.subject import Subject
from frostline.inference.rebuild import Network
from frostline.tracking.prediction_files import read_predictions
from frostline.training.recorder import TrainedRun

MAX_PAIRS = 50
MAX_ERRORS = {"light": 12, "full": 24}
COLUMNS = 6
# Training images and epochs on the sheet of what a recipe does to them.
SHEET_IMAGES, SHEET_EPOCHS = 6, 5
log = logging.getLogger(__name__)


def write_evidence(
    subject: Subject, folder: Path, *, level: str, on_progress: Callable[[str], None]
) -> dict[str, float]:
    """Write the evidence of a run.

    Args:
        subject: Images, predictions and network.
        folder: Where the files go; created if missing.
        level: `light` or `full`.
        on_progress: Receives a line about what is left out.

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
        values |= write_attributions(subject, folder, on_progress)
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


def write_run_evidence(
    level: str, folder: Path, run: TrainedRun, *, pool: Pool, on_progress: Callable[..., None]
) -> dict[str, float]:
    """Write the evidence of a run that has just been trained and tested.

    A failure here is reported and does not fail the run, whose figures exist already.

    Args:
        level: `full`, `light` or `off`.
        folder: Where the files go.
        run: The trained run; its backbone is in eval mode afterwards.
        pool: The pooling of the run.
        on_progress: Receives `text=` if something went wrong.

    Returns:
        Metrics to log: `test/ece` and others; with `full` also `use_cost/...`.
    """
    shutil.rmtree(folder, ignore_errors=True)  # left by an interrupted run
    if level == "off":
        return {}
    metrics: dict[str, float] = {}
    try:
        features = WholeModel(run.backbone.model, set_pool(run.backbone, pool), frozen=False)
        subject = Subject(
            table=run.table,
            classes=run.table.classes,
            predictions=read_predictions(run.predictions / "test.parquet"),
            geometry=run.data.evaluation,
            network=Network(features, run.head).eval(),
            backbone=run.backbone,
            preprocess=run.data.preprocess,
            validation=read_predictions(run.predictions / "val.parquet"),
            history=run.history,
        )
        values = write_evidence(
            subject, folder, level=level, on_progress=lambda line: on_progress(text=line)
        )
        metrics |= {f"test/{name}": value for name, value in values.items()}
        # A run on stored features may never have opened the training images.
        if level == "full" or run.data.training in run.data.opened:
            sheet = contact_sheet(run.data, n_images=SHEET_IMAGES, n_epochs=SHEET_EPOCHS, seed=0)
            sheet.save(folder / "training_images.jpg", quality=88, optimize=True)
        if level == "full":
            from frostline.inference.cost import cost_of

            costs = cost_of(
                subject.network,
                shape=run.backbone.input.shape,
                checkpoint_bytes=run.checkpoint.stat().st_size,
                engine=run.engine,
            )
            metrics |= {f"use_cost/{name}": value for name, value in costs.items()}
    except Exception as error:  # plotting libraries and models can raise anything
        is_known = isinstance(error, FrostlineError)  # which says what to do
        if not is_known:
            log.warning("the evidence of this run could not be written", exc_info=True)
        reason = str(error) if is_known else f"{type(error).__name__}: {error}"
        on_progress(text=f"the evidence of this run is incomplete: {reason}")
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"error": reason})
        (folder / "error.json").write_text(text, encoding="utf-8")
    return metrics
