"""What a page holds: a conclusion, then sections of notes, figures and tables."""

from collections.abc import Sequence
from dataclasses import dataclass

from frostline.reporting.figure import Figure
from frostline.reporting.tables import Table


@dataclass(frozen=True)
class Conclusion:
    """What the page opens with.

    Attributes:
        headline: One sentence.
        paragraphs: Title and text, the reasons first, then the doubts. Each line of a text becomes
            a paragraph of its own.
    """

    headline: str
    paragraphs: Sequence[tuple[str, str]]


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
