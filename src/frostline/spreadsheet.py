"""Cells of CSV files that a spreadsheet opens as text: names such as `=cmd|...` run nothing.

Source: https://owasp.org/www-community/attacks/CSV_Injection
"""

import re
from collections.abc import Iterable
from typing import Any

_FORMULA = re.compile(r"'*[=+\-@\t\r].", re.DOTALL)


def as_cell(value: Any) -> Any:
    """A value for a CSV file: an apostrophe before text that would be taken for a formula.

    Numbers stay as they are, also those that are text already; `as_text` takes the apostrophe away.
    """
    if not isinstance(value, str) or not _FORMULA.match(value) or _is_number(value):
        return value
    return f"'{value}"


def as_row(values: Iterable[Any]) -> list[Any]:
    """A row of such cells."""
    return [as_cell(value) for value in values]


def as_text(cell: str) -> str:
    """The text that `as_cell` has made a cell of."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
