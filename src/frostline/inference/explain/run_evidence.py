"""The evidence that is logged on a run right after its training."""

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

from frostline.backbones.pooling import Pool, set_pool
from frostline.backbones.split.cut import WholeModel
from frostline.data.contact_sheet import contact_sheet
from frostline.inference.explain.evidence import write_evidence
from frostline.inference.explain.subject import Subject
from frostline.inference.rebuild import Network
from frostline.tracking.prediction_files import read_predictions
from frostline.training.recorder import TrainedRun

# Training images and epochs on the sheet of what a recipe does to them.
SHEET_IMAGES, SHEET_EPOCHS = 6, 5
log = logging.getLogger(__name__)


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
        Metrics to log: `test/ece` and others; with `full` also `cost/...`.
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
        values = write_evidence(subject, folder, level=level)
        metrics |= {f"test/{name}": value for name, value in values.items()}
        # A run on stored features may never have opened the training images.
        if level == "full" or run.data.training in run.data.opened:
            sheet = contact_sheet(run.data, n_images=SHEET_IMAGES, n_epochs=SHEET_EPOCHS, seed=0)
            sheet.save(folder / "training_images.jpg", quality=88, optimize=True)
        if level == "full":
            from frostline.inference.cost import cost_of

            costs = cost_of(
                subject.network,
                size_px=run.backbone.input.size_px,
                checkpoint_bytes=run.checkpoint.stat().st_size,
                engine=run.engine,
            )
            metrics |= {f"cost/{name}": value for name, value in costs.items()}
    except Exception as error:  # plotting libraries and models can raise anything
        log.warning("the evidence of this run could not be written", exc_info=True)
        on_progress(text=f"the evidence of this run is incomplete: {type(error).__name__}: {error}")
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"error": f"{type(error).__name__}: {error}"})
        (folder / "error.json").write_text(text, encoding="utf-8")
    return metrics
