"""One HTML page that needs nothing but itself: text, tables, figures, styles and plotly.js."""

import base64
import gzip
import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from frostline.reporting.figure import Figure
from frostline.reporting.plotly_figures import plotly_figure
from frostline.reporting.sentences import Sentences
from frostline.reporting.tables import Table, as_html


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it, in this order: notes, figures, tables.

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
    """All of a report.

    Attributes:
        title: What was compared, for the browser's tab and the top of the page.
        made: When, and from what.
        words: The verdict.
        sections: In order.
        drawn: Whether the images are drawings.
    """

    title: str
    made: str
    words: Sentences
    sections: Sequence[Section]
    drawn: bool

    @property
    def figures(self) -> list[Figure]:
        """All figures."""
        return [figure for section in self.sections for figure in section.figures]

    @property
    def tables(self) -> list[Table]:
        """All tables, those of the figures too; each once."""
        found = [table for section in self.sections for table in section.tables]
        found += [figure.table for figure in self.figures]
        return list({table.id: table for table in found}.values())


def render(page: Page) -> str:
    """The page as HTML text."""
    title = html.escape(page.title)
    links = "".join(
        f'<li><a href="#{section.id}">{html.escape(section.title)}</a></li>'
        for section in page.sections
    )
    body = "".join(_section(section) for section in page.sections)
    packed = _packed_plotly() if page.figures else ""
    figures = {_box(figure): plotly_figure(figure) for figure in page.figures}
    scripts = (
        f'<script type="application/json" id="figures">{_json(figures)}</script>'
        f'<script type="text/plain" id="plotly">{packed}</script>'
        f"<script>{_resource('page.js')}</script>"
        if page.figures
        else ""
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        '<link rel="icon" href="data:,">'
        f"<title>{title}</title><style>{_resource('page.css')}</style></head><body>"
        '<a class="skip" href="#verdict">Skip to the verdict</a>'
        f"<header><h1>{title}</h1><p>{html.escape(page.made)}</p></header>"
        f'<main>{_verdict(page)}<nav aria-label="Sections"><ul>{links}</ul></nav>{body}</main>'
        f"{scripts}</body></html>\n"
    )


def _verdict(page: Page) -> str:
    parts = "".join(
        f"<h3>{html.escape(title)}</h3>"
        + "".join(f"<p>{html.escape(t)}</p>" for t in text.split("\n"))
        for title, text in page.words.paragraphs
    )
    mark = " drawings" if page.drawn else ""
    return (
        f'<section class="verdict{mark}" id="verdict" aria-labelledby="verdict-title">'
        f'<h2 id="verdict-title">{html.escape(page.words.headline)}</h2>{parts}</section>'
    )


def _section(section: Section) -> str:
    notes = "".join(f'<p class="note">{html.escape(note)}</p>' for note in section.notes)
    figures = "".join(_figure(figure) for figure in section.figures)
    tables = "".join(as_html(table) for table in section.tables)
    return (
        f'<section id="{section.id}" aria-labelledby="{section.id}-title">'
        f'<h2 id="{section.id}-title">{html.escape(section.title)}</h2>'
        f"{notes}{figures}{tables}</section>"
    )


def _figure(figure: Figure) -> str:
    says = html.escape(f"{figure.title}. {figure.says} The numbers are in the table below.")
    return (
        f"<figure><h3>{html.escape(figure.title)}</h3>"
        f'<div class="plot" id="{_box(figure)}" role="img" aria-label="{says}"></div>'
        f"<figcaption>{html.escape(figure.says)}</figcaption>{as_html(figure.table)}</figure>"
    )


def _box(figure: Figure) -> str:
    return f"figure-{figure.id}"


def _json(value: object) -> str:
    """JSON that cannot end the script element that it stands in."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def _resource(name: str) -> str:
    return resources.files("frostline.reporting").joinpath(name).read_text(encoding="utf-8")


@cache
def _packed_plotly() -> str:
    """plotly.js, compressed: 2 MB of text instead of 5."""
    from plotly.offline import get_plotlyjs

    packed = gzip.compress(get_plotlyjs().encode(), compresslevel=9, mtime=0)
    return base64.b64encode(packed).decode()
