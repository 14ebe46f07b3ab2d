"""The columns of a table: of images, of labels, of splits."""

from collections.abc import Sequence

from frostline.data.sample_table import name_some
from frostline.data.sources.table_text import Row
from frostline.data.split_names import makes_splits, splits_by_name
from frostline.errors import DataError


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


def unused_split_column(rows: Sequence[tuple[int, Row]], columns: Sequence[str]) -> str:
    """Find a column whose values are those of a divided data set; empty if there is none."""
    for column in columns:
        values = {row[column] for _, row in rows}
        if len(values) < 10 and makes_splits(splits_by_name(values).values()):
            return column
    return ""
