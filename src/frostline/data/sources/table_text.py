"""The text of a table as spreadsheets and pandas leave it: its encoding, separator and lines."""

import codecs
import csv
import re
from collections import Counter
from io import StringIO
from pathlib import Path

from frostline.data.sample_table import name_some
from frostline.errors import DataError

Row = dict[str, str]
_DELIMITERS = ",;\t|"
_END = "end of the table"
# The longer mark first: that of UTF-32 starts with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_rows(file: Path) -> tuple[list[tuple[int, Row]], list[str]]:
    """Read all rows as text; empty lines, and columns without name and values, are left out.

    Returns:
        The rows, each with its line number, and the names of the columns.

    Raises:
        DataError: If the file cannot be read, is in no Unicode encoding, or is not a table.
    """
    text = _decoded(file)
    # Excel's own first line, which says how the others are separated.
    named = re.match(r'"?sep=(.)"?[;,\t]*\r?\n', text, re.IGNORECASE)
    body = text[named.end() :] if named else text
    header = body.lstrip("\r\n").splitlines()[0] if body.strip() else ""
    delimiter = named[1] if named else _delimiter(header)
    # A line of our own at the end: within an open quotation mark it would be part of a value.
    reader = csv.reader(StringIO(f"{body}\n{_END}", newline=""), delimiter=delimiter)
    first = 1 if named else 0
    try:
        lines = [
            (first + reader.line_num, [*map(str.strip, line)])
            for line in reader
            if any(map(str.strip, line))
        ]
    except csv.Error as error:
        raise DataError(
            f"line {first + reader.line_num} of {file.name}: {error}",
            "values of ordinary length",
            "look for a quotation mark that is never closed",
        ) from None
    if lines.pop()[1] != [_END]:
        begins = lines[-1][0] + 1 if lines else first + 1
        raise DataError(
            f"{file.name}: a quotation mark in the row of line {begins} is never closed, so the "
            "lines behind it would be one value",
            "quotation marks in pairs",
        )
    if len(lines) < 2:
        raise DataError(f"{file.name} has no rows", "a line of column names, then a line per image")
    return _with_columns(lines, file.name)


def _decoded(file: Path) -> str:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror or error}") from None
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    if encoding is None:
        encoding = _utf_16_without_mark(data) or "utf-8"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"line {line} of {file.name} is not {encoding.upper()} ({error.reason}): "
            f"{ascii(data[max(0, error.start - 10) : error.start + 10])[2:-1]}",
            "UTF-8, or UTF-16 as spreadsheets write it",
            "save it as UTF-8 (spreadsheets: 'CSV UTF-8')",
        ) from None


def _utf_16_without_mark(data: bytes) -> str | None:
    """Text of western letters in UTF-16 has a zero in every second byte, that in UTF-8 none."""
    sample = data[:256]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if 4 * (even + odd) < len(sample):
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def _delimiter(header: str) -> str:
    """Choose the character that divides the header; one within quotation marks does not."""
    outside = re.sub(r'"[^"]*"', "", header)
    counted = outside if any(mark in outside for mark in _DELIMITERS) else header
    return max(_DELIMITERS, key=counted.count)


def _with_columns(
    lines: list[tuple[int, list[str]]], name: str
) -> tuple[list[tuple[int, Row]], list[str]]:
    """Give the values of each line their columns.

    Raises:
        DataError: If columns share a name, or a line has more or fewer values than there are.
    """
    columns = lines[0][1]
    n_named = max((k + 1 for k, column in enumerate(columns) if column), default=len(columns))
    # Spreadsheets end lines with separators of columns that have neither a name nor values.
    trimmed = [(number, _trimmed(line, n_named)) for number, line in lines]
    n_columns = n_named
    if any(len(line) > n_named for _, line in trimmed[1:]) and len(columns) > n_named:
        n_columns = len(columns)
        trimmed = [(number, _trimmed(line, n_columns)) for number, line in lines]
    columns = trimmed[0][1]
    used = [
        k
        for k in range(n_columns)
        if columns[k]
        or columns.count("") == 1
        or any(line[k : k + 1] != [""] for _, line in trimmed[1:])
    ]
    repeated = [column for column, n in Counter(columns[k] for k in used).items() if n > 1]
    if repeated:
        raise DataError(
            f"{name} has columns of the same name: {name_some(repeated)}",
            "a name of its own for each column that has values",
        )
    for number, line in trimmed[1:]:
        if len(line) != n_columns:
            raise DataError(
                f"line {number} of {name} has {len(line)} values", f"{n_columns} columns"
            )
    rows = [(number, {columns[k]: line[k] for k in used}) for number, line in trimmed[1:]]
    return rows, [columns[k] for k in used]


def _trimmed(line: list[str], n: int) -> list[str]:
    """Remove empty values at the end beyond `n`."""
    end = len(line)
    while end > n and not line[end - 1]:
        end -= 1
    return line[:end]
