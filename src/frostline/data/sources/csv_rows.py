"""Read a csv file: its rows, its columns, label and split of a row, and the image file it names."""

import csv
import json
import os
from collections import Counter, defaultdict
from io import StringIO
from pathlib import Path

from frostline.data.layout import SPLIT_FOLDERS
from frostline.data.sample_table import name_some
from frostline.errors import DataError

Row = dict[str, str]


def read_rows(file: Path) -> tuple[list[tuple[int, Row]], list[str]]:
    """Read all rows as text.

    Returns:
        The rows, each with its line number, and the names of the columns.

    Raises:
        DataError: If the file cannot be read, is not UTF-8, or is not a table.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise DataError(
            f"{file.name} is not UTF-8 ({error.reason})", todo="save it as UTF-8"
        ) from None
    header = text.splitlines()[0] if text.strip() else ""
    delimiter = max(",;\t|", key=header.count)
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter)
    try:
        lines = [(reader.line_num, line) for line in reader if line]
    except csv.Error as error:
        raise DataError(
            f"line {reader.line_num} of {file.name}: {error}",
            "values of ordinary length",
            "look for a quotation mark that is never closed",
        ) from None
    if len(lines) < 2:
        raise DataError(f"{file.name} has no rows", "a line of column names, then a line per image")
    columns = [name.strip() for name in lines[0][1]]
    repeated = [name for name, count in Counter(columns).items() if count > 1]
    if repeated:
        raise DataError(f"{file.name} has columns of the same name: {name_some(repeated)}")
    for number, line in lines[1:]:
        if len(line) != len(columns):
            raise DataError(
                f"line {number} of {file.name} has {len(line)} values", f"{len(columns)} columns"
            )
    rows = [(n, dict(zip(columns, map(str.strip, line), strict=True))) for n, line in lines[1:]]
    return rows, columns


def find_column(key: str, given: str | None, columns: list[str], usual: tuple[str, ...]) -> str:
    """Find a column.

    Args:
        key: The key of the `data` group that names the column, for messages.
        given: Its value; None: the first of the usual names that is there.
        columns: The columns of the table.
        usual: Usual names of the column, in lower case.

    Raises:
        DataError: If there is no such column.
    """
    if given is not None:
        if given in columns:
            return given
        raise DataError(f"data.{key}={given}: there is no such column", name_some(columns, 40))
    by_lower_name = {name.casefold(): name for name in reversed(columns)}
    for name in usual:
        if name in by_lower_name:
            return by_lower_name[name]
    raise DataError(
        f"no column is called {name_some(usual)}",
        name_some(columns, 40),
        f"name it with data.{key}=COLUMN",
    )


def label_of_row(row: Row, label_columns: list[str], number: int) -> str:
    """Return the label of a row: the value of the column, or the name of the column that has 1."""
    if len(label_columns) == 1:
        (column,) = label_columns
        if not row[column]:
            raise DataError(f"line {number} has no {column}", "a label in every line")
        return row[column]
    labels = [name for name in label_columns if row[name] not in {"", "0", "0.0", "False", "false"}]
    if len(labels) != 1:
        raise DataError(
            f"line {number} has {len(labels)} labels: {name_some(labels)}",
            f"exactly one of {name_some(label_columns)} set to 1",
        )
    return labels[0]


def split_of_value(value: str, number: int) -> str:
    """Return "train", "val" or "test" for the value of a split column."""
    split = SPLIT_FOLDERS.get(value.casefold())
    if split is None:
        raise DataError(f"line {number} has the split '{value}'", ", ".join(SPLIT_FOLDERS))
    return split


def read_label_names(file: Path, given: str | None) -> dict[str, str]:
    """Read the JSON file that maps labels to names; it lies relative to the csv file."""
    if given is None:
        return {}
    try:
        content = json.loads((file.parent / given).read_text(encoding="utf-8"))
        return {str(label): str(name) for label, name in content.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise DataError(
            f"data.label_names={given}: {error}", 'a JSON file such as {"0": "healthy"}'
        ) from None


class ImageFinder:
    """Finds an image by its path, with or without extension, or by its name if that is unique.

    A path is relative to the images' folder or to the table, or absolute.

    Args:
        paths: The image files, relative to `root`.
        root: The images' folder.
        table_folder: The folder of the table.
    """

    def __init__(self, paths: list[str], root: Path, table_folder: Path) -> None:
        self._root, self._table_folder = root, table_folder
        self._paths = set(paths)
        self._paths_by_short_name: dict[str, list[str]] = defaultdict(list)
        for path in paths:
            stem, _ = os.path.splitext(path)  # noqa: PTH122 (100,000 paths)
            short_names = {stem, path.rsplit("/", 1)[-1], stem.rsplit("/", 1)[-1]}
            for name in short_names - {path}:
                self._paths_by_short_name[name].append(path)

    def find(self, name: str, number: int) -> str | None:
        """Find the path of an image.

        Args:
            name: The value in the table.
            number: Its line, for messages.

        Returns:
            The path relative to the images' folder; None if there is no such file.

        Raises:
            DataError: If the name fits several images.
        """
        name = os.path.normpath(name.replace("\\", "/")).removeprefix("./")
        if name in self._paths:
            return name
        inside = os.path.relpath(os.path.join(self._table_folder, name), self._root)  # noqa: PTH118
        if inside in self._paths:
            return inside
        matches = self._paths_by_short_name.get(name, [])
        if len(matches) > 1:
            raise DataError(
                f"line {number}: '{name}' may be any of {name_some(matches)}",
                "paths relative to the images' folder, with the extension",
            )
        return matches[0] if matches else None
