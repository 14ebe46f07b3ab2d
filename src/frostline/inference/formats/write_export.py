"""Write an export: a folder with one format of a rebuilt run and its model card."""

import csv
import json
import stat
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from frostline.data.channels import read_image, takes_arrays
from frostline.data.geometry import square
from frostline.errors import DataError, TrackingError
from frostline.inference.evaluation_images import own_data
from frostline.inference.formats.deployable import INPUT, OUTPUTS, Sample, take_sample
from frostline.inference.formats.inference_facts import describe
from frostline.inference.formats.model_card import Facts, write_card
from frostline.inference.formats.predict_script import try_script, write_script
from frostline.inference.image_files import decode_batches, find_images
from frostline.inference.rebuild import Rebuilt
from frostline.scratch import ScratchFolder
from frostline.tracking.prediction_files import read_predictions
from frostline.tracking.reader import Reader

FORMATS = ("onnx", "torch_export", "torchscript", "timm", "mlflow")
MAX_CHECKED = 16
# Of these `predict.py` is tried on the whole photos, which may have many megapixels each.
MAX_TRIED = 4
# What an export has, by its format; used to recognise one that may be replaced.
MODEL_FILES = ("model.onnx", "model.pt2", "model.pt", "model.safetensors", "MLmodel")


@dataclass(frozen=True)
class Exported:
    """A finished export.

    Attributes:
        folder: All its files; for MLflow the model itself.
        difference: Largest difference of a logit from PyTorch.
        n_checked: Number of images compared.
        script_difference: Largest difference of a probability by `predict.py`.
        n_tried: Number of images that it was tried on.
    """

    folder: Path
    difference: float
    n_checked: int
    script_difference: float
    n_tried: int


def sample_of(rebuilt: Rebuilt, images: Sequence[str]) -> Sample:
    """Take real images to check an export on: those given, or some of the run's test split.

    Raises:
        DataError: If there are no images.
    """
    if images:
        paths = find_images(images, arrays=takes_arrays(rebuilt.geometry.in_chans)).files[
            :MAX_CHECKED
        ]
        (batch,) = decode_batches(
            paths,
            rebuilt.geometry,
            batch_size=MAX_CHECKED,
            threads=1,
            value_range=rebuilt.value_range,
        )
        if not len(batch.images):
            raise DataError("none of the images given with --images can be read")
        readable = [path for path, good in zip(paths, batch.good, strict=True) if good]
        originals = tuple(
            read_image(path, rebuilt.value_range, rebuilt.geometry.in_chans)
            for path in readable[:MAX_TRIED]
        )
        return take_sample(rebuilt, batch.images, tuple(map(str, readable)), originals)
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
    originals = tuple(table.open_image(item) for item in items[:MAX_TRIED])
    return take_sample(rebuilt, squares, items, originals)


def is_export(folder: Path) -> bool:
    """Whether a folder is an export, which may be replaced."""
    return any((folder / name).exists() for name in MODEL_FILES)


def export_run(
    rebuilt: Rebuilt,
    form: str,
    folder: Path,
    sample: Sample,
    store: Reader | None,
    *,
    any_size: bool = False,
    on_progress: Callable[[str], object] = lambda _: None,
) -> Exported:
    """Write one format and its card; the folder appears when it is complete and checked.

    Args:
        rebuilt: The run.
        form: One of `FORMATS`.
        folder: The target, which is replaced if it exists.
        sample: Real images.
        store: Where the run is recorded; None for a checkpoint given by its path.
        any_size: Whether an ONNX file takes images of any size.
        on_progress: Receives what is being done.

    Raises:
        ExportError: If the format cannot hold this run, or its outputs disagree with PyTorch.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    described = describe(rebuilt, normalised_inside=form != "timm", resized_inside=any_size)
    with ScratchFolder("export", folder.parent) as temporary:
        new = temporary / form
        on_progress(f"writing {form} and comparing it on {len(sample.names)} images")
        difference = _write(rebuilt, form, new, sample, described, any_size=any_size)
        on_progress(f"trying predict.py on {len(sample.originals)} images")
        write_script(new, form, described, resized_inside=any_size)
        script_difference = try_script(new, rebuilt, sample)
        facts = _facts(rebuilt, store, difference, len(sample.names))
        card = write_card(rebuilt, form, facts, any_size=any_size)
        (new / "README.md").write_text(card, encoding="utf-8")
        _let_others_read(new)
        if folder.is_dir():  # moved, since a removal that is killed leaves half of a model
            folder.rename(temporary / "old")
        new.rename(folder)
    return Exported(folder, difference, len(sample.names), script_difference, len(sample.originals))


def _let_others_read(folder: Path) -> None:
    """Give all files the modes that new files get here; some libraries make private ones."""
    file_mode = (folder / "README.md").stat().st_mode
    folder_mode = folder.stat().st_mode
    for path in folder.rglob("*"):
        path.chmod(stat.S_IMODE(folder_mode if path.is_dir() else file_mode))


def _write(
    rebuilt: Rebuilt,
    form: str,
    folder: Path,
    sample: Sample,
    facts: dict[str, Any],
    *,
    any_size: bool,
) -> float:
    match form:
        case "onnx":
            from frostline.inference.formats.onnx_file import export_onnx, export_onnx_of_images

            export = export_onnx_of_images if any_size else export_onnx
            return export(rebuilt, sample, folder / "model.onnx", facts)
        case "torch_export":
            from frostline.inference.formats.torch_program import export_program

            return export_program(rebuilt, sample, folder / "model.pt2", facts)
        case "torchscript":
            from frostline.inference.formats.torchscript import export_torchscript

            return export_torchscript(rebuilt, sample, folder / "model.pt", facts)
        case "timm":
            from frostline.inference.formats.timm_folder import export_timm

            return export_timm(rebuilt, sample, folder, facts)
        case "mlflow":
            from frostline.inference.formats.onnx_file import export_onnx
            from frostline.tracking.mlflow_model import save_onnx_model

            with tempfile.TemporaryDirectory() as scratch:
                file = Path(scratch) / "model.onnx"
                difference = export_onnx(rebuilt, sample, file, facts)
                save_onnx_model(
                    file,
                    folder,
                    example=sample.squares[:1],
                    input_name=INPUT,
                    outputs=dict.fromkeys(OUTPUTS, len(rebuilt.classes)),
                    about=facts,
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
