"""`predict.py` of a timm checkpoint: the normalisation is not part of the model."""

import json
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
    """Load `model.safetensors` into the model that timm builds."""
    import timm
    import torch

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    model = timm.create_model(
        steps.backbone,
        pretrained=False,
        num_classes=len(steps.classes),
        checkpoint_path=str(folder / "model.safetensors"),
        **config["model_args"],
    ).eval()
    mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (steps.mean, steps.std))

    def probabilities(arrays: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        images = torch.from_numpy(squares_of(arrays)).float()
        with torch.inference_mode():
            logits = model((images / 255 - mean) / std)
        return np.asarray(torch.softmax(logits.float(), dim=1).numpy())

    return network_of_squares(steps, probabilities)


def main() -> int:
    """Run the script."""
    return run_script(load, Path(__file__).resolve().parent)
