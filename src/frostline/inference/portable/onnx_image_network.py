"""`predict.py` of an ONNX file that resizes and crops by itself."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostline.data.channels import Picture, pixels_of, with_channels
from frostline.inference.portable.answers import Network, Steps, run_script


def load(folder: Path, steps: Steps) -> Network:
    """Load `model.onnx`, which takes one image (H, W, C) of any size."""
    import onnxruntime  # type: ignore[import-untyped]

    session = onnxruntime.InferenceSession(
        str(folder / "model.onnx"), providers=["CPUExecutionProvider"]
    )

    def probabilities(arrays: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        found = [session.run(["probabilities"], {"image": array})[0] for array in arrays]
        return np.concatenate(found)

    in_chans = steps.geometry.in_chans

    def prepare(image: Picture) -> NDArray[np.uint8]:
        return pixels_of(with_channels(image, in_chans))

    return Network(prepare, probabilities, steps.value_range, in_chans)


def main() -> int:
    """Run the script."""
    return run_script(load, Path(__file__).resolve().parent)
