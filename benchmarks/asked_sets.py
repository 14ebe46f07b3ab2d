"""Data sets for the questions that come after a sweep, with stored features.

Drawings of five kinds, whose truth is known; photographs and clothes where they are at hand: see
experiments/photographs.md and experiments/clothes.py.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.many_images import DEBIAN
from benchmarks.regret_data import make_sets
from frostline.advice.measures.table_features import TableFeatures, table_features
from frostline.config.conf_files import STUDIES, default_scalar
from frostline.data.load import load_path
from frostline.data.sample_table import SampleTable
from frostline.data.sources.leaves import load_leaves

# Smaller than the weights' own, so that all sets take minutes.
SIZE_PX = 128
LEAVES = {
    "size_px": 128,
    "variant": "color",
    "imbalance": 1.0,
    "shortcut": 0.0,
    "leak": 0.0,
}


def _leaves(
    n_images: int, n_species: int, background: str, draw_seed: int, photos: int = 3
) -> SampleTable:
    return load_leaves(
        **LEAVES,  # type: ignore[arg-type]
        photos_per_leaf=photos,
        n_images=n_images,
        n_species=n_species,
        background=background,
        draw_seed=draw_seed,
    )


DRAWN: dict[str, Callable[[], SampleTable]] = {
    "leaves": lambda: _leaves(1200, 4, "lab", 0),
    "two crops": lambda: _leaves(600, 2, "lab", 5),
    "field": lambda: _leaves(600, 2, "field", 1),
}
CLOTHES = "clothes"  # 2,000 of Fashion-MNIST
FROM_FILES = ("symbols", "photographs", "cells", "weaves")
SETS = (*DRAWN, *FROM_FILES, CLOTHES)
# One photo a leaf, so that a quarter of them has leaves enough.
SINGLE: dict[str, Callable[[], SampleTable]] = {
    "single leaves": lambda: _leaves(1600, 4, "lab", 2, photos=1),
    "single in the field": lambda: _leaves(1600, 4, "field", 3, photos=1),
}
GROWTH_SETS = ("single leaves", "cells", "single in the field", "weaves", "symbols")


def table_of(name: str, folder: Path, stamps: Path | None) -> SampleTable:
    """Load one of the sets, drawn into the folder where that is needed.

    Args:
        name: One of `SETS`.
        folder: For images and stored features.
        stamps: The unpacked package tuxpaint-stamps-default, for the photographs.
    """
    if name in DRAWN | SINGLE:
        return (DRAWN | SINGLE)[name]()
    if name == CLOTHES:
        _make_clothes(folder / name)
    else:
        make_sets([name], folder, stamps)
    # Without the splits: what is asked here makes parts of its own.
    return load_path(str(folder / name), on_bad_image="error", group_by=None)


def _make_clothes(folder: Path) -> None:
    """Write the first images of each class.

    Raises:
        SystemExit: If they are neither there nor where Debian's package puts them.
    """
    if folder.is_dir():
        return
    if not DEBIAN.is_dir():
        raise SystemExit(f"{CLOTHES}: install Debian's package dataset-fashion-mnist")
    words = ["--per-class", "150", "--test-per-class", "50"]
    script = str(STUDIES / "clothes.py")
    subprocess.run([sys.executable, script, str(DEBIAN), str(folder), *words], check=True)


def asked_parser(page: str | None, sets: Sequence[str]) -> argparse.ArgumentParser:
    """Make a parser of what all questions take: the folder, the sets, whether docs are written."""
    parser = argparse.ArgumentParser(
        description=page, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True, help="for images and features")
    parser.add_argument("--stamps", type=Path, help="the package tuxpaint-stamps-default, unpacked")
    parser.add_argument("--sets", nargs="+", default=list(sets), help="default: %(default)s")
    parser.add_argument("--write", action="store_true", help="the table in docs")
    return parser


def features_here(
    table: SampleTable, folder: Path, size_px: int = SIZE_PX, backbone: str | None = None
) -> TableFeatures:
    """Features of a backbone, None for the default one, stored in the folder."""
    os.environ["FROSTLINE_HOME"] = str(folder / "home")
    os.environ["FROSTLINE_CACHE"] = str(folder / "cache")
    return table_features(
        table,
        backbone=backbone or default_scalar("backbone"),
        image_size=size_px,
        on_progress=_say,
    )


def _say(*, text: str) -> None:
    print(text, flush=True)
