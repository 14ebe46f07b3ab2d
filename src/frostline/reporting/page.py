"""A page as plain data: a conclusion, then sections of notes, figures and tables."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
        whole_x: Whether x counts something, such as epochs, and has whole numbers only.
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
    whole_x: bool = False
    dodged: bool = False


@dataclass(frozen=True)
class Conclusion:
    """What the page opens with.

    Attributes:
        headline: One sentence, and what must be known beside it.
        paragraphs: Title and text, the reasons first, then the doubts. Each line of a text becomes
            a paragraph of its own.
    """

    headline: str
    paragraphs: Sequence[tuple[str, str]]

    def with_caveat(self, sentence: str) -> "Conclusion":
        """The same with a further sentence in the headline, if there is one to add."""
        return replace(self, headline=f"{self.headline} {sentence}".rstrip())


@dataclass(frozen=True)
class Section:
    """A heading and what follows it, in this order: notes, figures, tables.

    Attributes:
        id: Anchor.
        title: Heading.
        notes: Paragraphs of plain text.
        figures: Figures, each with its table folded below.
        tables: Tables.
    """

    id: str
    title: str
    notes: Sequence[str] = ()
    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()


@dataclass(frozen=True)
class Page:
    """All that a page shows; `frostline.reporting.render.render_page` makes HTML of it.

    Attributes:
        title: What was compared, for the browser's tab and the top of the page.
        made: When, and from what.
        conclusion: What the page opens with.
        sections: In order.
        drawn: Whether the images are drawings.
    """

    title: str
    made: str
    conclusion: Conclusion
    sections: Sequence[Section]
    drawn: bool

    @property
    def figures(self) -> list[Figure]:
        """All figures."""
        return [figure for section in self.sections for figure in section.figures]

    @property
    def tables(self) -> list[Table]:
        """All tables, those of the figures included; each once."""
        tables = [table for section in self.sections for table in section.tables]
        tables += [figure.table for figure in self.figures]
        return list({table.id: table for table in tables}.values())
