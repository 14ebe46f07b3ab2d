"""A table that is shown as HTML and kept as CSV."""

import csv
import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Value = str | float | int | None
Kind = Literal["text", "percent", "points", "seconds", "count", "p", "number"]


@dataclass(frozen=True)
class Column:
    """A column: its heading, and how its values read.

    Attributes:
        name: Heading.
        kind: `percent` and `points` hold shares of 1 and are shown times 100; `points` with a sign.
    """

    name: str
    kind: Kind = "text"


@dataclass(frozen=True)
class Table:
    """A named table; `None` and NaN are shown as a dash and kept as an empty field.

    Attributes:
        id: File name without `.csv`, and anchor on the page.
        title: Caption.
        columns: The columns.
        rows: Raw values.
        marked: Rows to emphasise.
        folded: Whether the page shows it only on demand.
    """

    id: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Value]]
    marked: frozenset[int] = frozenset()
    folded: bool = False


def write_csv(table: Table, folder: Path) -> Path:
    """Write raw values, shares as shares, in full precision."""
    path = folder / f"{table.id}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([column.name for column in table.columns])
        for row in table.rows:
            writer.writerow(["" if is_missing(value) else _plain(value) for value in row])
    return path


def as_html(table: Table) -> str:
    """The table as HTML; the first column is the row's header."""
    head = "".join(
        f'<th scope="col"{_css(column)}>{html.escape(column.name)}</th>' for column in table.columns
    )
    lines = []
    for place, row in enumerate(table.rows):
        cells = [
            f'<th scope="row">{html.escape(shown(value, column.kind))}</th>'
            if number == 0
            else f"<td{_css(column)}>{html.escape(shown(value, column.kind))}</td>"
            for number, (value, column) in enumerate(zip(row, table.columns, strict=True))
        ]
        mark = ' class="marked"' if place in table.marked else ""
        lines.append(f"<tr{mark}>{''.join(cells)}</tr>")
    title = html.escape(table.title)
    body = (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{title}">'
        f'<table id="{table.id}"><caption>{title}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )
    if table.folded:
        return f"<details><summary>{title}</summary>{body}</details>"
    return body


def shown(value: Value, kind: Kind) -> str:
    """A value as a person reads it."""
    if is_missing(value):
        return "–"
    if isinstance(value, str):
        return value
    number = float(value or 0)
    match kind:
        case "percent":
            return f"{100 * number:.1f}"
        case "points":
            return f"{100 * number:+.1f}".replace("-", "−")
        case "seconds":
            return seconds(number)
        case "count":
            return f"{number:,.0f}"
        case "p":
            return "< 0.001" if number < 0.001 else f"{number:.3f}"
        case _:
            return f"{number:.4g}"


def seconds(value: float) -> str:
    """A duration: `0.42 s`, `37 s`, `12 min`, `3.4 h`."""
    if value < 10:
        return f"{value:.2g} s"
    if value < 120:
        return f"{value:.0f} s"
    if value < 600:
        return f"{value / 60:.1f} min"
    return f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.1f} h"


def is_missing(value: Value) -> bool:
    """None or NaN."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def _plain(value: Value) -> str:
    """Text that a spreadsheet does not run as a formula."""
    if isinstance(value, str):
        return f"'{value}" if value[:1] in "=+@" else value
    return repr(value) if isinstance(value, float) else str(value)


def _css(column: Column) -> str:
    return "" if column.kind == "text" else ' class="number"'
