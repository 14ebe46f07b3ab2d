"""Data sets with a known truth, for the questions that come after a sweep, with stored features.

Drawings of five kinds, and photographs where they are at hand: see experiments/photographs.md.
"""

import os
from collections.abc import Callable
from pathlib import Path

from benchmarks.regret_data import make_sets
from frostline.advice.measures.table_features import TableFeatures, table_features
from frostline.config.conf_files import default_scalar
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
FROM_FILES = ("symbols", "photographs", "cells", "weaves")
SETS = (*DRAWN, *FROM_FILES)
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
    make_sets([name], folder, stamps)
    # Without the splits: what is asked here makes parts of its own.
    return load_path(str(folder / name), on_bad_image="error", group_by=None)


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
