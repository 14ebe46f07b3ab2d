"""A cache of its own for each test, and small data sets made for real."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from frostline.data.sample_table import SampleTable
from frostline.data.sources.leaves import load_leaves

LEAVES: dict[str, Any] = {
    "n_images": 90,
    "size_px": 48,
    "n_species": 2,
    "photos_per_leaf": 2,
    "variant": "color",
    "background": "lab",
    "imbalance": 1.0,
    "shortcut": 0.0,
    "leak": 0.0,
    "draw_seed": 0,
}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    cache = tmp_path / "cache"
    monkeypatch.setenv("FROSTLINE_CACHE", str(cache))
    return cache


@pytest.fixture
def leaves() -> Callable[..., SampleTable]:
    """Small leaves; any argument can be changed."""
    return lambda **changes: load_leaves(**(LEAVES | changes))


@pytest.fixture
def photo_tree(tmp_path: Path) -> Callable[..., Path]:
    """Writes ROOT/folder/img_N.png for each folder and count; returns ROOT."""

    def write(folders: dict[str, int], name: str = "photos", suffix: str = ".png") -> Path:
        root = tmp_path / name
        root.mkdir(exist_ok=True)
        generator = np.random.default_rng(0)
        for folder, count in folders.items():
            (root / folder).mkdir(parents=True, exist_ok=True)
            for k in range(count):
                noise = generator.integers(0, 256, (20, 24, 3), dtype=np.uint8)
                Image.fromarray(noise).save(root / folder / f"img_{k:03d}{suffix}")
        return root

    return write


@pytest.fixture
def plain_table() -> Callable[..., SampleTable]:
    """A table without files: labels, and optionally groups and given splits."""

    def make(
        labels: list[int], groups: list[str] | None = None, given: list[str] | None = None
    ) -> SampleTable:
        items = tuple(f"item{k:05d}" for k in range(len(labels)))
        return SampleTable(
            name="plain",
            items=items,
            labels=np.array(labels, dtype=np.int64),
            groups=np.array(groups or items),
            given_split=None if given is None else np.array(given),
            classes=tuple(f"class{k}" for k in range(max(labels) + 1)),
            fingerprint="none",
            open_image=lambda item: Image.new("RGB", (4, 4)),
        )

    return make
