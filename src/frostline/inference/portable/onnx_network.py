"""`predict.py` of an ONNX file, also within an MLflow model."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostline.inference.portable.answers import (
    Network,
    Steps,
    network_of_squares,
    run_script,
    squares_of,
)


def load(folder: Path, steps: Steps) -> Network:
    """Load `model.onnx`, which takes squares."""
    import onnxruntime  # type: ignore[import-untyped]

    session = onnxruntime.InferenceSession(
        str(folder / "model.onnx"), providers=["CPUExecutionProvider"]
    )

    def probabilities(arrays: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        (found,) = session.run(["probabilities"], {"images": squares_of(arrays)})
        return np.asarray(found)

    return network_of_squares(steps, probabilities)


def main() -> int:
    """Run the script."""
    return run_script(load, Path(__file__).resolve().parent)
