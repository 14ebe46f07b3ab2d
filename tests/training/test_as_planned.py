"""A job refuses data, splits and weights other than those that it was planned for."""

import csv
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from frostline.backbones.spec import WeightsInfo
from frostline.data.contents import remember_contents
from frostline.data.sample_table import SampleTable
from frostline.data.sources.csv_table import load_csv
from frostline.data.splits import split_digest, split_table
from frostline.errors import DataChangedError
from frostline.training.as_planned import check_as_planned

WEIGHTS = WeightsInfo("path", "w.pth", "loaded", file_digest="file")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROSTLINE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def label_table(tmp_path: Path) -> Path:
    """Twenty photos, named in a table with their class and leaf."""
    rng = np.random.default_rng(0)
    rows = [("file", "label", "leaf")]
    for number in range(20):
        noise = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{number:02d}.png")
        rows.append((f"{number:02d}.png", "ab"[number % 2], f"leaf{number // 4}"))
    write(tmp_path / "labels.csv", rows)
    return tmp_path / "labels.csv"


def write(path: Path, rows: list[tuple[str, str, str]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def read(path: Path) -> SampleTable:
    return load_csv(str(path), on_bad_image="error", **CSV)


CSV: dict[str, Any] = {"group_by": "leaf"}


def planned_for(table: SampleTable, **changes: str) -> Any:
    """Settings as the sweep hands them to a job; only what the check reads."""
    splits = split_table(table, val_frac=0.25, test_frac=0.25, seed=0)
    sweep = {
        "data_fingerprint": table.fingerprint,
        "split_digest": split_digest(table, splits),
        "weights_digest": "file",
    } | changes
    return SimpleNamespace(
        sweep=SimpleNamespace(**sweep),
        data=SimpleNamespace(split_file=None),
        weights="w.pth",
        backbone="resnet18",
    )


def check(settings: Any, table: SampleTable) -> None:
    splits = split_table(table, val_frac=0.25, test_frac=0.25, seed=0)
    check_as_planned(settings, table, splits, WEIGHTS)


Rows = list[tuple[str, str, str]]


def other_pixels(rows: Rows, folder: Path) -> Rows:
    for number in (3, 7):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(folder / f"{number:02d}.png")
    return rows


def other_label(rows: Rows, folder: Path) -> Rows:
    return [(f, "b" if f in {"00.png", "02.png"} else c, g) for f, c, g in rows]


def other_group(rows: Rows, folder: Path) -> Rows:
    return [(f, c, "alone" if f == "05.png" else g) for f, c, g in rows]


def one_gone_one_new(rows: Rows, folder: Path) -> Rows:
    (folder / "19.png").rename(folder / "new.png")
    return [("new.png" if f == "19.png" else f, c, g) for f, c, g in rows]


@pytest.mark.parametrize(
    ("change", "counted"),
    [
        (other_pixels, "2 of 20 files differ (2 with other content): '03.png', '07.png'"),
        (other_label, "2 of 20 files differ (2 with another label): '00.png', '02.png'"),
        (other_group, "1 of 20 files differ (1 in another group): '05.png'"),
        (one_gone_one_new, "2 of 20 files differ (1 gone, 1 new): '19.png', 'new.png'"),
    ],
)
def test_a_change_of_data_is_counted_and_named(
    change: Callable[[Rows, Path], Rows], counted: str, label_table: Path
) -> None:
    table = read(label_table)
    remember_contents(table)
    settings = planned_for(table)
    check(settings, table)
    with label_table.open() as file:
        rows = [(row[0], row[1], row[2]) for row in csv.reader(file)]
    write(label_table, change(rows, label_table.parent))
    with pytest.raises(DataChangedError) as error:
        check(settings, read(label_table))
    assert f"since the sweep was planned: {counted}" in error.value.given


def test_a_change_is_an_error_where_the_list_of_files_was_not_kept(label_table: Path) -> None:
    table = read(label_table)
    settings = planned_for(table, data_fingerprint="another")
    with pytest.raises(DataChangedError, match="files, labels, groups or splits differ"):
        check(settings, table)


@pytest.mark.parametrize(
    ("key", "named"),
    [("split_digest", "the splits of"), ("weights_digest", r"weights=w\.pth of resnet18")],
)
def test_other_splits_and_weights_are_an_error(key: str, named: str, label_table: Path) -> None:
    table = read(label_table)
    with pytest.raises(DataChangedError, match=named):
        check(planned_for(table, **{key: "other"}), table)


def test_what_the_plan_did_not_know_is_not_compared(label_table: Path) -> None:
    table = read(label_table)
    check(planned_for(table, data_fingerprint="", split_digest="", weights_digest=""), table)
