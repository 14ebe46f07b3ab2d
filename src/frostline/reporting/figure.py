"""A figure as plain data: drawn by plotly on the page and by matplotlib as PNG."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from frostline.reporting.tables import Table

Style = Literal["line", "points", "both"]
# Distinct for most colour-blind people, and readable on white and on near-black.
COLOURS = ("#0b7fc4", "#dd6b10", "#0f9d74", "#c95f9e", "#b98a00", "#6f6ee8", "#a0522d", "#808080")
# Source of the first five hues: Okabe and Ito, "Color Universal Design", 2008.
MAX_SERIES = len(COLOURS)


@dataclass(frozen=True)
class Series:
    """Points of one colour.

    Attributes:
        name: For the legend.
        x: Numbers or category names.
        y: Numbers; in percent where the axis is.
        low: Lower ends of intervals, same length; empty without intervals.
        high: Upper ends.
        labels: What each point is, for hovering; empty for none.
        style: Line, points or both.
        colour: Index into `COLOURS`.
        dashed: Whether its line is dashed.
        in_legend: Whether the legend names it.
        ringed: Points to mark, such as those on the Pareto front.
    """

    name: str
    x: Sequence[float | str]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    labels: Sequence[str] = ()
    style: Style = "both"
    colour: int = 0
    dashed: bool = False
    in_legend: bool = True
    ringed: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Heat:
    """A matrix: `values[row][column]`, NaN where there is no value."""

    rows: Sequence[str]
    columns: Sequence[str]
    values: Sequence[Sequence[float]]


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes:
        id: File name without `.png`, and anchor on the page.
        title: Heading.
        caption: What it shows, for those who do not see it too.
        x_label: With unit.
        y_label: With unit.
        series: What is drawn.
        heat: Drawn instead of series.
        categories: The order of x where x is text.
        log_x: Whether x is logarithmic.
        dodged: Whether series stand side by side within a category.
        table: The same numbers as a table.
    """

    id: str
    title: str
    caption: str
    x_label: str
    y_label: str
    table: Table
    series: Sequence[Series] = ()
    heat: Heat | None = None
    categories: Sequence[str] = ()
    log_x: bool = False
    dodged: bool = False
