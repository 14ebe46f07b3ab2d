"""Splits as a readable csv file that can be used again: item, split, class, group."""

import csv
from pathlib import Path

import numpy as np

from frostline.data.sample_table import SPLIT_NAMES, SampleTable, name_some
from frostline.data.splits import Splits, check_splits
from frostline.errors import DataError
from frostline.files import replacing
from frostline.spreadsheet import as_row, as_text

HEADER = ("item", "split", "class", "group")


def save_splits(path: Path, table: SampleTable, splits: Splits) -> None:
    """Write the split of each image; images in no split are left out."""
    rows = [
        (table.items[row], name, table.classes[table.labels[row]], str(table.groups[row]))
        for name, members in splits.named().items()
        for row in members.tolist()
    ]
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(HEADER)
        writer.writerows(as_row(row) for row in sorted(rows))


def load_splits(path: str, table: SampleTable, *, missing_class: str = "error") -> Splits:
    """Read splits from a file and check them against the table.

    Args:
        path: A file written by `save_splits`, relative to the working directory.
        table: The images; those not named in the file are in no split.
        missing_class: As for `split_table`.

    Raises:
        DataError: If the file is missing or lacks columns, names unknown images or splits, or puts
            one group into several splits.
    """
    try:
        with Path(path).expanduser().open(newline="", encoding="utf-8") as handle:
            rows = list(csv.DictReader(handle))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"data.split_file={path}: {error}") from None
    if not rows or not {"item", "split"} <= set(rows[0]):
        raise DataError(
            f"data.split_file={path} has no columns item and split",
            "a splits.csv as recorded with every run",
        )
    index = {item: row for row, item in enumerate(table.items)}
    for record in rows:
        if (
            record["item"] and record["item"] not in index
        ):  # as it stands first: a table of one's own escapes nothing
            record["item"] = as_text(record["item"])
    unknown = [record["item"] for record in rows if record["item"] not in index]
    if unknown:
        raise DataError(
            f"data.split_file={path} names {len(unknown)} images that are not in {table.name}: "
            f"{name_some(unknown)}",
            "images of the data set that the splits were made for",
        )
    unknown_splits = sorted({record["split"] for record in rows} - set(SPLIT_NAMES))
    if unknown_splits:
        raise DataError(
            f"data.split_file={path} has the split {name_some(unknown_splits)}",
            ", ".join(SPLIT_NAMES),
        )
    members: dict[str, set[int]] = {name: set() for name in SPLIT_NAMES}
    for record in rows:
        members[record["split"]].add(index[record["item"]])
    _check_disjoint(path, table, members)
    splits = Splits(*(np.array(sorted(members[name]), dtype=np.int64) for name in SPLIT_NAMES))
    check_splits(table, splits, missing_class=missing_class)
    return splits


def _check_disjoint(path: str, table: SampleTable, members: dict[str, set[int]]) -> None:
    train, val, test = (members[name] for name in SPLIT_NAMES)
    shared = (train & val) | (train & test) | (val & test)
    if shared:
        items = [table.items[row] for row in sorted(shared)]
        raise DataError(f"data.split_file={path} has images in two splits: {name_some(items)}")
