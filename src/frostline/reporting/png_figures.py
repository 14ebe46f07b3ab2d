"""Figures as PNG, by matplotlib without a display."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MultipleLocator, NullLocator

from frostline.reporting.axis_ticks import log_marks, short_number, whole_step
from frostline.reporting.fonts import names_as_they_are
from frostline.reporting.page import COLOURS, Figure, Heat, Series
from frostline.reporting.plotly_figures import BLUES

MARKERS = ("o", "s", "D", "^", "X", "P", "*", "h")
_DPI = 110
_DODGE = 0.15
# Inches: of a figure, and what a turned label below an axis needs.
_WIDTH, _HEIGHT, _LABEL_WIDTH = 7.4, 4.4, 0.3
_MAX_LETTERS = 28
_MAX_LEGEND_LETTERS = 60


@names_as_they_are()
def write_png(figure: Figure, folder: Path) -> Path:
    """Draw a figure, white background, about 800 by 480 pixels; wider where labels need it."""
    n_labels = len(figure.heat.columns) if figure.heat is not None else len(figure.categories)
    width = max(_WIDTH, 2 + _LABEL_WIDTH * n_labels)
    canvas = Canvas(figsize=(width, _HEIGHT), layout="constrained")
    FigureCanvasAgg(canvas)
    axes = canvas.subplots()
    axes.set_title(figure.title, loc="left", fontsize=11, fontweight="bold")
    axes.set_xlabel(figure.x_label)
    axes.set_ylabel(figure.y_label)
    if figure.heat is not None:
        _heat(axes, figure.heat)
    else:
        _series(axes, figure)
    path = folder / f"{figure.id}.png"
    canvas.savefig(path, dpi=_DPI, pil_kwargs={"optimize": True})
    return path


def _series(axes: Axes, figure: Figure) -> None:
    places = {name: place for place, name in enumerate(figure.categories)}
    middle = (len(figure.series) - 1) / 2
    for number, series in enumerate(figure.series):
        x = np.array([places[str(v)] if places else float(v) for v in series.x], dtype=np.float64)
        _draw(axes, series, x + (_DODGE * (number - middle) if figure.dodged else 0.0))
    if places:
        _label_places(axes, list(places))
    if figure.log_x:
        axes.set_xscale("log")
        drawn = [float(x) for series in figure.series for x in series.x]
        marks = log_marks(min(drawn), max(drawn))
        axes.set_xticks(marks, [short_number(mark) for mark in marks])
        axes.xaxis.set_minor_locator(NullLocator())
    if figure.whole_x:
        counts = [int(float(x)) for series in figure.series for x in series.x]
        axes.xaxis.set_major_locator(MultipleLocator(whole_step(max(counts))))
        if min(counts) == max(counts):
            axes.set_xlim(counts[0] - 0.5, counts[0] + 0.5)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if sum(series.in_legend for series in figure.series) > 1:
        axes.legend(fontsize=8, frameon=False)


def _label_places(axes: Axes, names: list[str]) -> None:
    """Names below the axis, turned where side by side they would run into each other."""
    short = [_short(name, _MAX_LETTERS) for name in names]
    turned = 30 if max(map(len, short)) * len(short) > 60 else 0
    axes.set_xticks(range(len(short)), short, rotation=turned, ha="right" if turned else "center")


def _short(name: str, letters: int) -> str:
    """A long name without its middle: values differ at both ends."""
    if len(name) <= letters:
        return name
    return f"{name[: letters // 2]}…{name[1 - (letters + 1) // 2 :]}"


def _draw(axes: Axes, series: Series, x: np.ndarray) -> None:
    colour = COLOURS[series.colour % len(COLOURS)]
    y = np.asarray(series.y, dtype=np.float64)
    marker = MARKERS[series.colour % len(MARKERS)] if series.style != "line" else ""
    line = "" if series.style == "points" else ("--" if series.dashed else "-")
    errors = None
    if series.low:
        errors = np.vstack([y - np.asarray(series.low), np.asarray(series.high) - y]).clip(min=0)
    label = _short(series.name, _MAX_LEGEND_LETTERS) if series.in_legend else "_nolegend_"
    axes.errorbar(x, y, errors, color=colour, marker=marker, ls=line, label=label, capsize=3)
    ringed = sorted(series.ringed)
    if ringed:
        axes.plot(x[ringed], y[ringed], "o", ms=12, mfc="none", mec="black", mew=1.4)


def _heat(axes: Axes, heat: Heat) -> None:
    values = np.asarray(heat.values, dtype=np.float64)
    colours = LinearSegmentedColormap.from_list("blues", [str(colour) for _, colour in BLUES])
    image = axes.imshow(np.ma.masked_invalid(values), cmap=colours, aspect="auto")
    _label_places(axes, list(heat.columns))
    axes.set_yticks(range(len(heat.rows)), [_short(row, 2 * _MAX_LETTERS) for row in heat.rows])
    finite = values[np.isfinite(values)]
    middle = (finite.min() + finite.max()) / 2 if finite.size else 0.0
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            ink = "white" if value > middle else "black"
            axes.text(column, row, f"{value:.1f}", ha="center", va="center", color=ink, fontsize=9)
    axes.figure.colorbar(image, ax=axes, label="%")
