"""A table that is shown on a page and written as CSV."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from frostline.reporting.number_text import seconds
from frostline.spreadsheet import as_cell

Value = str | float | int | None
Kind = Literal["text", "percent", "points", "seconds", "count", "p", "number"]


@dataclass(frozen=True)
class Column:
    """A column: its heading, and how its values are shown.

    Attributes:
        name: Heading.
        kind: `percent` and `points` hold shares of 1 and are shown times 100; `points` with a sign.
        is_detail: Whether the page shows it apart, on demand, so that the table needs no scrolling.
    """

    name: str
    kind: Kind = "text"
    is_detail: bool = False


@dataclass(frozen=True)
class Table:
    """A named table; `None` and NaN are shown as a dash and written as an empty field.

    Attributes:
        id: File name without `.csv`, and anchor on the page.
        title: Caption.
        columns: The columns.
        rows: Raw values.
        marked: Places of rows to emphasise.
        folded: Whether the page shows it only on demand.
    """

    id: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Value]]
    marked: frozenset[int] = frozenset()
    folded: bool = False

    def frame(self) -> pd.DataFrame:
        """The raw values; nothing is converted, so that whole numbers stay whole beside gaps."""
        names = [column.name for column in self.columns]
        return pd.DataFrame(list(self.rows), columns=names, dtype=object)

    def without_empty_columns(self) -> "Table":
        """The table without the columns in which every value is missing."""
        return self._with_columns(np.flatnonzero(self.frame().notna().any()).tolist())

    def on_page(self) -> list["Table"]:
        """The tables in which a page shows it: its details, if it has any, are one of their own.

        The first column, which names the rows, is in both; a CSV file has all columns in one.
        """
        details = [place for place, column in enumerate(self.columns) if column.is_detail]
        if not details:
            return [self]
        main = [place for place in range(len(self.columns)) if place not in details]
        apart = replace(
            self._with_columns([0, *details]),
            id=f"{self.id}-details",
            title=f"{self.title}: details",
            folded=True,
        )
        return [self._with_columns(main), apart]

    def _with_columns(self, places: Sequence[int]) -> "Table":
        return replace(
            self,
            columns=[self.columns[place] for place in places],
            rows=[[row[place] for place in places] for row in self.rows],
        )


def write_csv(table: Table, folder: Path) -> Path:
    """Write raw values, shares as shares, in full precision."""
    path = folder / f"{table.id}.csv"
    table.frame().map(_as_field).to_csv(path, index=False, lineterminator="\r\n")
    return path


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


def is_missing(value: Value) -> bool:
    """None or NaN."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def _as_field(value: Value) -> str:
    """A value in a CSV file; text that a spreadsheet would run as a formula gets an apostrophe."""
    if is_missing(value):
        return ""
    if isinstance(value, str):
        return str(as_cell(value))
    return repr(value) if isinstance(value, float) else str(value)
