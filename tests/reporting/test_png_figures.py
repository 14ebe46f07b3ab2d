"""Pictures whose labels are long or many: nothing collapses, no name runs into the next."""

import warnings
from pathlib import Path

import pytest
from matplotlib.figure import Figure as Canvas
from matplotlib.text import Text
from PIL import Image

from frostline.reporting.page import Figure, Heat, Series
from frostline.reporting.plotly_figures import plotly_figure
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


DOLLARS = ["cost_$5_to_$10", "$a_b$", "$", "a_{b", "\\frac"]


@pytest.mark.parametrize("kind", ["categories", "heat", "log"])
def test_names_are_drawn_as_they_are(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`cost_$5_to_$10` is no formula, and the numbers of a logarithmic axis are none either."""
    drawn: list[Text] = []
    save = Canvas.savefig

    def spy(canvas: Canvas, *args: object, **options: object) -> None:
        save(canvas, *args, **options)  # type: ignore[arg-type]
        drawn.extend(canvas.findobj(Text))

    monkeypatch.setattr(Canvas, "savefig", spy)
    lines = [Series(name, DOLLARS, [1.0] * 5) for name in DOLLARS]
    figures = {
        "categories": figure(title=DOLLARS[0], categories=DOLLARS, series=lines),
        "heat": figure(heat=Heat(DOLLARS, DOLLARS, [[1.0] * 5] * 5)),
        "log": figure(log_x=True, series=[Series(DOLLARS[0], [0.001, 0.01, 2.0], [1.0, 2.0, 3.0])]),
    }
    write_png(figures[kind], tmp_path)
    assert not any(text.get_parse_math() for text in drawn)
    written = {text.get_text() for text in drawn}
    if kind == "log":
        assert not any("$" in text for text in written)
        assert {"0.001", "0.01", "0.1", "1"} <= written
    else:
        assert set(DOLLARS) <= written


def test_plotly_shows_names_as_they_are() -> None:
    """Its labels know tags, entities and, between a first and a last dollar, formulas."""
    names = ["<b>bold</b>", "a&amp;b", "$x_1$", "cost_$5"]
    one = figure(categories=names, series=[Series(names[0], names, [1.0] * 4, labels=names)])
    drawn = plotly_figure(one)
    shown = ["&lt;b&gt;bold&lt;/b&gt;", "a&amp;amp;b", "\u200b$x_1$", "cost_$5"]
    (trace,) = drawn["data"]
    assert trace["name"] == shown[0]
    assert trace["x"] == trace["text"] == drawn["layout"]["xaxis"]["categoryarray"] == shown
