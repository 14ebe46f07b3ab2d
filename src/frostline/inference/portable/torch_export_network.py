"""`predict.py` of a program of torch.export."""

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
    """Load `model.pt2`, which takes squares."""
    import torch

    model = torch.export.load(str(folder / "model.pt2")).module()

    def probabilities(arrays: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        with torch.no_grad():
            _, found = model(torch.from_numpy(squares_of(arrays)))
        return np.asarray(found.numpy())

    return network_of_squares(steps, probabilities)


def main() -> int:
    """Run the script."""
    return run_script(load, Path(__file__).resolve().parent)
