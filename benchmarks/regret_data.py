"""The data sets on which choices of the learning rate are judged, and the settings of one run.

Each of the drawn sets has a test share of its own, so large that a difference of a point is more
than noise: `leaves200` are 200 images to learn from (training and validation) and 600 to test on.
"""

import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from hydra import compose, initialize_config_dir

from benchmarks.drawn_cells import write_cells
from benchmarks.drawn_weaves import write_weaves
from benchmarks.regret_rows import AUTO, Job
from frostline.config.conf_files import CONF, STUDIES
from frostline.config.read import settings_of
from frostline.config.schema import Settings

SETS: dict[str, tuple[str, ...]] = {
    "leaves200": ("data=leaves", "data.n_images=200", "data.test_images=600"),
    "leaves1000": ("data=leaves", "data.n_images=1000", "data.test_images=600"),
    "field": (
        "data=leaves",
        "data.n_images=240",
        "data.test_images=600",
        "data.background=field",
        "data.draw_seed=1",
    ),
    "photographs": ("data=folder", "data.path=photographs", "data.test_frac=0.4"),
    "symbols": ("data=folder", "data.path=symbols"),
    "cells": ("data=folder", "data.path=cells"),
    "weaves": ("data=folder", "data.path=weaves"),
}
PER_CLASS = {"train": 20, "test": 60}  # drawings of each class of the last three
_DRAW = {"cells": write_cells, "weaves": write_weaves}


def make_sets(names: Sequence[str], folder: Path, stamps: Path | None) -> None:
    """Draw or copy the images of sets that are read from files, where they are missing.

    Args:
        names: Of the sets.
        folder: Gets one folder for each of them.
        stamps: The unpacked package tuxpaint-stamps-default.

    Raises:
        SystemExit: If the photographs are wanted and neither there nor in `stamps`.
    """
    if "photographs" in names and not (folder / "photographs").is_dir():
        if stamps is None:
            raise SystemExit("give --stamps (see experiments/photographs.py)")
        _call("photographs.py", str(stamps), str(folder / "photographs"))
    for number, (split, count) in enumerate(PER_CLASS.items()):
        symbols = folder / "symbols" / split
        if "symbols" in names and not symbols.is_dir():
            _call("symbols.py", str(symbols), "--per-class", str(count), "--seed", str(number + 1))
        for name, write in _DRAW.items():
            if name in names and not (folder / name / split).is_dir():
                write(folder / name / split, count, seed=number)


def _call(script: str, *arguments: str) -> None:
    subprocess.run([sys.executable, str(STUDIES / script), *arguments], check=True)


def settings_for(job: Job, folder: Path) -> Settings:
    """The settings of a run: the defaults, but for what the job says and small images.

    Args:
        job: The run.
        folder: Where the images of `make_sets` are.
    """
    settings = _settings_of(job.data, folder)
    optimizer = settings.optimizer.model_copy(
        update={"head_lr_factor": job.head_lr_factor, "layer_decay": job.layer_decay}
    )
    freeze = "all" if job.freeze == "all" else int(job.freeze)
    lr = "auto" if job.step == AUTO else job.lr
    values = {"freeze": freeze, "lr": lr, "seed": job.seed, "epochs": job.epochs}
    sweep = settings.sweep.model_copy(update={"tuning": f"choice of seed {job.seed}"})
    return settings.model_copy(update={**values, "optimizer": optimizer, "sweep": sweep})


@cache
def _settings_of(name: str, folder: Path) -> Settings:
    words = [word.replace("data.path=", f"data.path={folder}/") for word in SETS[name]]
    fixed = ["image_size=64", "lr=5e-4", "trainer.threads=1", "trainer.accelerator=cpu"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return settings_of(compose("train", [*words, *fixed]))
