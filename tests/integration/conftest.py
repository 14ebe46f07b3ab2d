"""The real command as a subprocess, in a folder of its own, on a tiny data set."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
TINY = ("data=folder", "data.path=photos", "image_size=32", "epochs=2", "weights=random")

Command = Callable[..., subprocess.CompletedProcess[str]]


def draw_classes(root: Path, *, per_class: int = 10, seed: int = 0) -> None:
    """Two classes that a net can separate: brightness rises to the right, or falls."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0, 160, 32)[None, :, None]
    for name, image in (("falling", ramp[:, ::-1]), ("rising", ramp)):
        (root / name).mkdir(parents=True)
        for number in range(per_class):
            noisy = image + rng.integers(0, 90, (32, 32, 3))
            Image.fromarray(noisy.astype(np.uint8)).save(root / name / f"{number}.png")


def environment(folder: Path) -> dict[str, str]:
    """Nothing is shared with the person's own stores and caches."""
    return os.environ | {
        "PYTHONPATH": str(ROOT),
        "FROSTLINE_CACHE": str(folder / "cache"),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }


def start(
    folder: Path, *arguments: str, module: str = "src.train"
) -> subprocess.CompletedProcess[str]:
    """Run `python -m src.train ARGUMENTS`, or another of the commands, in a folder and wait."""
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, empty_store_file: Path) -> Path:
    """A folder with an empty store and the tiny photos."""
    folder = tmp_path_factory.mktemp("place")
    draw_classes(folder / "photos")
    shutil.copyfile(empty_store_file, folder / "mlflow.db")
    return folder
