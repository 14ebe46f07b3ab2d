"""The evidence that a training leaves on its own run."""

import json
import logging
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from torch import nn

from frostline.backbones.build import Backbone
from frostline.backbones.pooling import Pool, set_pool
from frostline.backbones.split.cut import Whole
from frostline.data.contact_sheet import contact_sheet
from frostline.data.image_datamodule import ImageDataModule
from frostline.inference.explain.evidence import Subject, write_evidence
from frostline.inference.rebuild import Network
from frostline.tracking.prediction_files import read_predictions
from frostline.training.engine import Engine

# Training images and epochs on the sheet of what a recipe does to them.
SHEET_IMAGES, SHEET_EPOCHS = 6, 5
log = logging.getLogger(__name__)


def write_run_evidence(
    level: str,
    folder: Path,
    *,
    head: nn.Module,
    backbone: Backbone,
    pool: Pool,
    data: ImageDataModule,
    predictions: Path,
    checkpoint: Path,
    history: Mapping[str, Mapping[int, float]],
    engine: Engine,
    on_progress: Callable[..., None],
) -> dict[str, float]:
    """Write the evidence of a run that has just been trained and tested.

    What goes wrong here is told and does not cost the run, whose figures are there already.

    Args:
        level: `full`, `light` or `off`.
        folder: Where the files go.
        head: The trained head, with the chosen weights; the backbone has them, too.
        backbone: Its backbone; afterwards it is in eval mode.
        pool: The pooling of the run.
        data: The images.
        predictions: The folder with val.parquet and test.parquet.
        checkpoint: The file of the chosen weights.
        history: Metric to its value at each epoch.
        engine: Where the run computes.
        on_progress: Receives `text=` where something went wrong.

    Returns:
        Figures to log: `test/ece` and the like; with `full` also `cost/...`.
    """
    shutil.rmtree(folder, ignore_errors=True)  # of a training that was interrupted here
    if level == "off":
        return {}
    figures: dict[str, float] = {}
    try:
        features = Whole(backbone.model, set_pool(backbone, pool), frozen=False)
        subject = Subject(
            table=data.table,
            classes=data.table.classes,
            predictions=read_predictions(predictions / "test.parquet"),
            geometry=data.evaluation,
            network=Network(features, head).eval(),
            backbone=backbone,
            preprocess=data.preprocess,
            validation=read_predictions(predictions / "val.parquet"),
            history=history,
        )
        found = write_evidence(subject, folder, level=level)
        figures |= {f"test/{name}": value for name, value in found.items()}
        # Images that are stored are at hand; those of a run on stored outputs may not be.
        if level == "full" or data.training in data.opened:
            sheet = contact_sheet(data, n_images=SHEET_IMAGES, n_epochs=SHEET_EPOCHS, seed=0)
            sheet.save(folder / "training_images.jpg", quality=88, optimize=True)
        if level == "full":
            from frostline.inference.cost import cost_of

            costs = cost_of(
                subject.network,
                size_px=backbone.input.size_px,
                checkpoint_bytes=checkpoint.stat().st_size,
                engine=engine,
            )
            figures |= {f"cost/{name}": value for name, value in costs.items()}
    except Exception as error:  # drawing libraries and models are free code
        log.warning("no evidence of this run", exc_info=True)
        on_progress(text=f"the evidence of this run is not whole: {type(error).__name__}: {error}")
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"error": f"{type(error).__name__}: {error}"})
        (folder / "error.json").write_text(text, encoding="utf-8")
    return figures
