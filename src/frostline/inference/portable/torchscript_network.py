"""`predict.py` of a TorchScript file."""

import warnings
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
    """Load `model.pt`, which takes squares."""
    import torch

    with warnings.catch_warnings():
        # That TorchScript is deprecated says the README, once.
        warnings.simplefilter("ignore", FutureWarning)
        model = torch.jit.load(str(folder / "model.pt"), map_location="cpu")  # type: ignore[no-untyped-call]

    def probabilities(arrays: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        with torch.inference_mode():
            _, found = model(torch.from_numpy(squares_of(arrays)))
        return np.asarray(found.numpy())

    return network_of_squares(steps, probabilities)


def main() -> int:
    """Run the script."""
    return run_script(load, Path(__file__).resolve().parent)
