"""Pictures whose labels are long or many: nothing collapses, no name runs into the next."""

import warnings
from pathlib import Path

import pytest
from PIL import Image

from frostline.reporting.page import Figure, Heat, Series
from frostline.reporting.png_figures import _short, write_png
from frostline.reporting.tables import Table

LONG = "strategy.typed=['backbone', 'data', 'data.path', 'epochs', 'freeze', 'image_size']"


def figure(**changes: object) -> Figure:
    values = {"id": "f", "title": "t", "caption": "s", "x_label": "x", "y_label": "y"}
    return Figure(**(values | {"table": Table("f", "t", [], [])} | changes))  # type: ignore[arg-type]


def width_of(path: Path) -> int:
    with Image.open(path) as image:
        return image.width


@pytest.mark.parametrize("count", [3, 40])
def test_long_labels_leave_room_for_the_figure(count: int, tmp_path: Path) -> None:
    names = [f"{LONG}={k}" for k in range(count)]
    drawn = figure(categories=names, series=[Series("a" * 200, names, [1.0] * count)])
    heat = figure(id="h", heat=Heat(["net"], names, [[1.0] * count]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib's: "axes sizes collapsed to zero"
        widths = [width_of(write_png(one, tmp_path)) for one in (drawn, heat)]
    assert all(800 <= width < 1000 if count == 3 else width > 1500 for width in widths)


def test_a_long_name_keeps_both_ends() -> None:
    assert _short("freeze=2", 28) == "freeze=2"
    short = [_short(f"{LONG}={k}", 28) for k in (1, 22)]
    assert all(len(name) == 28 and name.startswith("strategy.type") for name in short)
    assert short[0].endswith("=1") and short[1].endswith("=22")


def test_letters_that_the_font_lacks_are_no_warning(tmp_path: Path) -> None:
    names = ["\U0001f340 leaf", "\u6a39\u8449"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert write_png(
            figure(categories=names, series=[Series("a", names, [1.0, 2.0])]), tmp_path
        )
