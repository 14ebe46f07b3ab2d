"""The 24 cells of the search benchmark, and its data sets."""

import itertools
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.drawn_cells import write_cells
from frostline.config.conf_files import STUDIES

BACKBONES = ("tf_efficientnet_lite0", "tf_efficientnet_lite1")
DEPTHS = ("all", "4", "2", "0")
RECIPES = ("none", "flip", "crop")
EPOCHS = 6


@dataclass(frozen=True)
class Cell:
    """What is compared.

    Attributes:
        backbone: A timm name.
        freeze: One of DEPTHS.
        augment: One of RECIPES.
    """

    backbone: str
    freeze: str
    augment: str

    @property
    def name(self) -> str:
        """Such as `lite0 2 flip`."""
        return f"{self.backbone.removeprefix('tf_efficientnet_')} {self.freeze} {self.augment}"

    @property
    def words(self) -> list[str]:
        """As it is typed."""
        return [f"backbone={self.backbone}", f"freeze={self.freeze}", f"augment={self.augment}"]


# In the order in which a race begins them: cells that freeze most first.
CELLS = [
    Cell(backbone, freeze, augment)
    for freeze, backbone, augment in itertools.product(DEPTHS, BACKBONES, RECIPES)
]
SETS: dict[str, tuple[str, ...]] = {
    "leaves": ("data=leaves", "data.n_images=600", "data.test_images=600"),
    "symbols": ("data=folder", "data.path=symbols"),
    "cells": ("data=folder", "data.path=cells"),
}
PER_CLASS = {"train": 60, "test": 60}  # drawings of each class of the last two


def make_sets(images: Path) -> None:
    """Draw the images that are read from files, where they are missing.

    Args:
        images: Gets one folder for each set.
    """
    for number, (split, count) in enumerate(PER_CLASS.items()):
        symbols, cells = images / "symbols" / split, images / "cells" / split
        if not symbols.is_dir():
            script = str(STUDIES / "symbols.py")
            words = ["--per-class", str(count), "--seed", str(number + 1)]
            subprocess.run([sys.executable, script, str(symbols), *words], check=True)
        if not cells.is_dir():
            write_cells(cells, count, seed=number)
