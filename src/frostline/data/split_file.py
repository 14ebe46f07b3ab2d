"""Splits as a file that people can read, keep and use again: item, split, class, group."""

import csv
from pathlib import Path

import numpy as np

from frostline.data.sample_table import SPLIT_NAMES, SampleTable, name_some
from frostline.data.splits import Splits, check_splits
from frostline.errors import DataError
from frostline.files import replacing

HEADER = ("item", "split", "class", "group")


def save_splits(path: Path, table: SampleTable, splits: Splits) -> None:
    """Write which image stands where; rows outside of all splits are left out."""
    rows = [
        (table.items[row], name, table.classes[table.labels[row]], str(table.groups[row]))
        for name, chosen in splits.named().items()
        for row in chosen.tolist()
    ]
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(HEADER)
        writer.writerows(sorted(rows))


def load_splits(path: str, table: SampleTable, *, missing_class: str = "error") -> Splits:
    """Read splits back and hold them against the table.

    Args:
        path: A file that `save_splits` wrote, relative to where the person stands.
        table: The images; those that the file does not name are in no split.
        missing_class: As for `split_table`.

    Raises:
        DataError: If the file is missing or is no such file, names images or splits that are not
            there, or tears groups apart.
    """
    try:
        with Path(path).expanduser().open(newline="", encoding="utf-8") as handle:
            rows = list(csv.DictReader(handle))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"data.split_file={path}: {error}") from None
    if not rows or not {"item", "split"} <= set(rows[0]):
        raise DataError(
            f"data.split_file={path} has no columns item and split",
            "a splits.csv as every run keeps it",
        )
    index = {item: row for row, item in enumerate(table.items)}
    unknown = [one["item"] for one in rows if one["item"] not in index]
    if unknown:
        raise DataError(
            f"data.split_file={path} names {len(unknown)} images that are not in {table.name}: "
            f"{name_some(unknown)}",
            "images of the data set that the splits were made for",
        )
    strange = sorted({one["split"] for one in rows} - set(SPLIT_NAMES))
    if strange:
        raise DataError(
            f"data.split_file={path} has the split {name_some(strange)}", ", ".join(SPLIT_NAMES)
        )
    chosen: dict[str, set[int]] = {name: set() for name in SPLIT_NAMES}
    for one in rows:
        chosen[one["split"]].add(index[one["item"]])
    _check_disjoint(path, table, chosen)
    splits = Splits(*(np.array(sorted(chosen[name]), dtype=np.int64) for name in SPLIT_NAMES))
    check_splits(table, splits, missing_class=missing_class)
    return splits


def _check_disjoint(path: str, table: SampleTable, chosen: dict[str, set[int]]) -> None:
    train, val, test = (chosen[name] for name in SPLIT_NAMES)
    twice = (train & val) | (train & test) | (val & test)
    if twice:
        items = [table.items[row] for row in sorted(twice)]
        raise DataError(f"data.split_file={path} has images in two splits: {name_some(items)}")
