"""`predict.py` and `inference.json` of an export: written, and tried on real images."""

import json
import runpy
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from frostline.data.channels import Channels, pixels_of
from frostline.inference.formats.deployable import TOLERANCE, ExportError, Sample
from frostline.inference.portable.answers import STEPS_FILE
from frostline.inference.portable.single_file import write_single_file
from frostline.inference.rebuild import Rebuilt

SCRIPT = "predict.py"
# The packages that `predict.py` needs, and the module it is made from, by format.
PACKAGES = {
    "onnx": ("numpy", "pillow", "onnxruntime"),
    "torch_export": ("numpy", "pillow", "torch"),
    "torchscript": ("numpy", "pillow", "torch"),
    "timm": ("numpy", "pillow", "timm"),
    "mlflow": ("numpy", "pillow", "onnxruntime"),
}
_MODULES = {
    "onnx": "onnx_network",
    "torch_export": "torch_export_network",
    "torchscript": "torchscript_network",
    "timm": "timm_network",
    "mlflow": "onnx_network",
}
_ABOUT = """Classify images with the model in this folder:  python predict.py IMAGES

Needs Python 3.10 or later and: {packages}.
Reads `inference.json` beside it. Made by Frostline {version}, whose own functions these are (MIT);
it is not needed to run this.
"""


def write_script(folder: Path, form: str, facts: dict[str, Any], *, resized_inside: bool) -> None:
    """Write `predict.py` and `inference.json` into the folder of an export.

    Args:
        folder: The export.
        form: Its format.
        facts: What `describe` says of it.
        resized_inside: Whether the model resizes by itself.
    """
    name = "onnx_image_network" if resized_inside else _MODULES[form]
    about = _ABOUT.format(packages=", ".join(PACKAGES[form]), version=version("frostline"))
    text = write_single_file(f"frostline.inference.portable.{name}", "main", about)
    (folder / SCRIPT).write_text(text, encoding="utf-8")
    (folder / STEPS_FILE).write_text(
        json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def try_script(folder: Path, rebuilt: Rebuilt, sample: Sample) -> float:
    """Classify images by the export's own `predict.py`, loaded as a module of its own.

    Args:
        folder: The export.
        rebuilt: The run.
        sample: Real images; its `originals` are classified.

    Returns:
        The largest difference of a probability from PyTorch's; 0 without originals.

    Raises:
        ExportError: If it is above the tolerance, or an image is not answered.
    """
    script = runpy.run_path(str(folder / SCRIPT), run_name="predict")
    steps = script["read_steps"](folder)
    if steps.classes != rebuilt.classes:
        raise ExportError(f"{STEPS_FILE} names other classes than the run")
    network = script["load"](folder, steps)
    with tempfile.TemporaryDirectory() as scratch:
        paths = []
        for number, image in enumerate(sample.originals):
            if isinstance(image, Channels):
                paths.append(Path(scratch) / f"{number}.npy")
                np.save(paths[-1], pixels_of(image))
            else:
                paths.append(Path(scratch) / f"{number}.bmp")
                image.save(paths[-1])
        found = [row for _, row in script["probabilities_of"](network, paths, len(paths) or 1)]
    errors = [row for row in found if isinstance(row, str)]
    if errors:
        raise ExportError(f"{SCRIPT} cannot read an image that Frostline reads: {errors[0]}")
    logits = sample.logits[: len(found)].astype(np.float64)
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected = shares / shares.sum(axis=1, keepdims=True)
    gap = float(np.abs(np.array(found) - expected).max()) if found else 0.0
    if not gap <= TOLERANCE:
        raise ExportError(
            f"{SCRIPT} disagrees with PyTorch: probabilities differ by up to {gap:.3g} on "
            f"{len(found)} images",
            f"at most {TOLERANCE:g}",
            "please report the backbone and the versions; another --format may work",
        )
    return gap
