"""Write an export: a folder with one format of a rebuilt run and its model card."""

import csv
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from frostline.data.geometry import square
from frostline.errors import DataError, TrackingError
from frostline.inference.evaluation_images import own_data
from frostline.inference.formats.deployable import INPUT, OUTPUTS, Sample, describe, take_sample
from frostline.inference.formats.model_card import Facts, write_card
from frostline.inference.image_files import decode_batches, find_images
from frostline.inference.rebuild import Rebuilt
from frostline.tracking.prediction_files import read_predictions
from frostline.tracking.reader import Reader

FORMATS = ("onnx", "torchscript", "timm", "mlflow")
MAX_CHECKED = 16


@dataclass(frozen=True)
class Exported:
    """A finished export.

    Attributes:
        folder: All its files; for MLflow the model itself.
        difference: Largest difference of a logit from PyTorch.
        n_checked: Number of images compared.
    """

    folder: Path
    difference: float
    n_checked: int


def sample_of(rebuilt: Rebuilt, images: Sequence[str]) -> Sample:
    """Take real images to check an export on: those given, or some of the run's test split.

    Raises:
        DataError: If there are no images.
    """
    if images:
        paths = find_images(images)[:MAX_CHECKED]
        (batch,) = decode_batches(paths, rebuilt.geometry, batch_size=MAX_CHECKED, threads=1)
        if not len(batch.images):
            raise DataError("none of the images given with --images can be read")
        names = [str(path) for path, good in zip(paths, batch.good, strict=True) if good]
        return take_sample(rebuilt, batch.images, tuple(names))
    try:
        table, splits = own_data(rebuilt)
    except DataError as error:
        raise DataError(
            f"no images to check the export on: {error.given}",
            todo="give some: --images DIR",
        ) from None
    rows = splits.test[:: max(1, len(splits.test) // MAX_CHECKED)][:MAX_CHECKED]
    items = tuple(table.items[row] for row in rows.tolist())
    squares = np.stack([square(table.open_image(item), rebuilt.geometry) for item in items])
    return take_sample(rebuilt, squares, items)


def export_run(
    rebuilt: Rebuilt, form: str, folder: Path, sample: Sample, store: Reader | None
) -> Exported:
    """Write one format and its card; the folder appears when it is complete and checked.

    Args:
        rebuilt: The run.
        form: One of `FORMATS`.
        folder: The target, which is replaced if it exists.
        sample: Real images.
        store: Where the run is recorded; None for a checkpoint given by its path.

    Raises:
        ExportError: If the format cannot hold this run, or its outputs disagree with PyTorch.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".export-") as temporary:
        new = Path(temporary) / form
        difference = _write(rebuilt, form, new, sample)
        facts = _facts(rebuilt, store, difference, len(sample.names))
        (new / "README.md").write_text(write_card(rebuilt, form, facts), encoding="utf-8")
        if folder.is_dir():
            shutil.rmtree(folder)
        new.rename(folder)
    return Exported(folder, difference, len(sample.names))


def _write(rebuilt: Rebuilt, form: str, folder: Path, sample: Sample) -> float:
    match form:
        case "onnx":
            from frostline.inference.formats.onnx_file import export_onnx

            return export_onnx(rebuilt, sample, folder / "model.onnx")
        case "torchscript":
            from frostline.inference.formats.torchscript import export_torchscript

            return export_torchscript(rebuilt, sample, folder / "model.pt")
        case "timm":
            from frostline.inference.formats.timm_folder import export_timm

            return export_timm(rebuilt, sample, folder)
        case "mlflow":
            from frostline.inference.formats.onnx_file import export_onnx
            from frostline.tracking.mlflow_model import save_onnx_model

            with tempfile.TemporaryDirectory() as scratch:
                file = Path(scratch) / "model.onnx"
                difference = export_onnx(rebuilt, sample, file)
                save_onnx_model(
                    file,
                    folder,
                    example=sample.squares[:1],
                    input_name=INPUT,
                    outputs=dict.fromkeys(OUTPUTS, len(rebuilt.classes)),
                    about=describe(rebuilt),
                )
            return difference
    raise ValueError(f"format {form!r}; allowed: {', '.join(FORMATS)}")


def _facts(rebuilt: Rebuilt, store: Reader | None, difference: float, n_checked: int) -> Facts:
    data = test = sizes = None
    if store is not None and rebuilt.record is not None:
        run_id = rebuilt.record.run_id
        try:
            data = json.loads(store.fetch_artifact(run_id, "data.json").read_text("utf-8"))
            test = read_predictions(store.fetch_artifact(run_id, "predictions/test.parquet"))
            with store.fetch_artifact(run_id, "splits.csv").open(encoding="utf-8") as handle:
                counts = Counter(row["split"] for row in csv.DictReader(handle))
            sizes = {name: counts[name] for name in ("train", "val", "test")}
        except (TrackingError, DataError):  # without them the card is shorter
            pass
    return Facts(data, test, sizes, difference, n_checked)
