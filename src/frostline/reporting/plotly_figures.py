"""Figures for plotly.js: plain dictionaries, coloured by the page for light and dark."""

import math
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from frostline.reporting.axis_ticks import log_marks, short_number, whole_step
from frostline.reporting.page import COLOURS, Figure, Heat, Series

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "cross", "star", "hexagon")
BLUES = [[0.0, "#dbeaf6"], [0.5, "#5fa8d8"], [1.0, "#084a78"]]
_HEIGHT_PX = 420
_ROW_HEIGHT_PX = 34
_LEGEND_ROW_PX = 20


def plotly_figure(figure: Figure) -> dict[str, Any]:
    """`data` and `layout` of a figure, with numbers and text only."""
    margin = {"l": 56, "r": 16, "t": 16, "b": 56}
    layout: dict[str, Any] = {
        "height": _HEIGHT_PX,
        "margin": margin,
        "xaxis": {"title": {"text": _plain(figure.x_label)}, "automargin": True, "zeroline": False},
        "yaxis": {"title": {"text": _plain(figure.y_label)}, "automargin": True, "zeroline": False},
        "hovermode": "closest",
        "showlegend": False,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
    }
    if figure.heat is not None:
        layout["height"] = 130 + _ROW_HEIGHT_PX * len(figure.heat.rows)
        layout["xaxis"]["type"] = layout["yaxis"]["type"] = "category"
        layout["yaxis"]["autorange"] = "reversed"
        return {"data": [_heat(figure.heat)], "layout": layout}
    if figure.categories:
        layout["xaxis"] |= {
            "type": "category",
            "categoryorder": "array",
            "categoryarray": [_plain(name) for name in figure.categories],
        }
    if figure.dodged:
        layout["scattermode"] = "group"
        layout["yaxis"]["range"] = _reach(figure.series)  # grouping alone would begin at 0
    if figure.log_x:
        drawn = _drawn_x(figure)
        marks = log_marks(min(drawn), max(drawn))
        ends = min(*drawn, marks[0]), max(*drawn, marks[-1])
        room = 0.05 * math.log10(ends[1] / ends[0])
        layout["xaxis"] |= {
            "type": "log",
            "tickvals": marks,
            "ticktext": [short_number(mark) for mark in marks],
            "range": [math.log10(ends[0]) - room, math.log10(ends[1]) + room],
        }
    if figure.whole_x:
        drawn = _drawn_x(figure)
        low, high = min(drawn), max(drawn)
        room = 0.02 * (high - low) or 0.5
        layout["xaxis"] |= {
            "tick0": 0,
            "dtick": whole_step(int(high)),
            "range": [low - room, high + room],
        }
    named = sum(series.in_legend for series in figure.series)
    if named > 1:
        layout["showlegend"] = True
        layout["legend"] = {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom"}
        layout["height"] = _HEIGHT_PX + _LEGEND_ROW_PX * named // 2
    return {"data": [_trace(series) for series in figure.series], "layout": layout}


def _drawn_x(figure: Figure) -> list[float]:
    return [float(x) for series in figure.series for x in series.x]


def _trace(series: Series) -> dict[str, Any]:
    colour = COLOURS[series.colour % len(COLOURS)]
    modes = {"line": "lines", "points": "markers", "both": "lines+markers"}
    trace: dict[str, Any] = {
        "type": "scatter",
        "name": _plain(series.name),
        "mode": modes[series.style],
        "x": [_plain(x) for x in series.x],
        "y": [_number(y) for y in series.y],
        "showlegend": series.in_legend,
        "line": {"color": colour, "width": 2, "dash": "dash" if series.dashed else "solid"},
        "marker": {
            "color": colour,
            "opacity": 1,
            "symbol": SYMBOLS[series.colour % len(SYMBOLS)],
            "size": [13 if k in series.ringed else 8 for k in range(len(series.x))],
            "line": {"width": [2.5 if k in series.ringed else 0 for k in range(len(series.x))]},
        },
    }
    if series.low:
        trace["error_y"] = {
            "type": "data",
            "symmetric": False,
            "array": [_number(h - y) for h, y in zip(series.high, series.y, strict=True)],
            "arrayminus": [_number(y - low) for low, y in zip(series.low, series.y, strict=True)],
            "thickness": 1.4,
            "width": 4,
            "color": colour,
        }
    if series.labels:
        trace["text"] = [_plain(label) for label in series.labels]
        trace["hovertemplate"] = "%{text}<extra></extra>"
    return trace


def _reach(series: Sequence[Series]) -> list[float]:
    """The lowest and highest end of all intervals, with some room."""
    ends = [end for one in series for end in (*one.y, *one.low, *one.high) if np.isfinite(end)]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    room = 0.06 * (high - low) or 1.0
    return [low - room, high + room]


def _heat(heat: Heat) -> dict[str, Any]:
    values = [[_number(value) for value in row] for row in heat.values]
    return {
        "type": "heatmap",
        "x": [_plain(name) for name in heat.columns],
        "y": [_plain(name) for name in heat.rows],
        "z": values,
        "text": [["" if v is None else f"{v:.1f}" for v in row] for row in values],
        "texttemplate": "%{text}",
        "hovertemplate": "%{y}, freeze %{x}: %{z:.2f} %<extra></extra>",
        "colorscale": BLUES,
        "colorbar": {"thickness": 12, "ticksuffix": " %"},
        "xgap": 2,
        "ygap": 2,
    }


def _plain(value: Any) -> Any:
    """Text as it is, where plotly.js would take it for its tags, entities or formulas.

    Formulas are only drawn between a first and a last dollar, hence the invisible space.
    """
    if not isinstance(value, str):
        return value
    text = escape(value, quote=False)
    return f"\u200b{text}" if text.startswith("$") and text.endswith("$") else text


def _number(value: float) -> float | None:
    """JSON has no NaN."""
    return round(float(value), 6) if np.isfinite(value) else None
