"""A person's decisions on single labels: which image has another class, and which is left out.

They come as a table, such as the suspects of `python -m src.data PATH --labels` with its column
`label` filled in. The images' own files and folders stay as they are.
"""

import difflib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostline.data.sample_table import SampleTable, name_some
from frostline.data.sources.table_text import Row, read_rows
from frostline.errors import DataError
from frostline.spreadsheet import as_text

FILE, LABEL, GIVEN = "file", "label", "given"
DROP = "drop"
_ALLOWED = f"a table with the columns {FILE} and {LABEL}: a class, {DROP}, or nothing"


def corrected(table: SampleTable, path: str) -> SampleTable:
    """Apply decisions to a table.

    Args:
        table: The images as the source has them.
        path: A table with the columns `file` (an item) and `label` (a class, or `drop`; empty where
            nothing is decided). A column `given` must name the classes that the images have now.

    Returns:
        The table with these labels and without what is dropped. Its `uncorrected` is the table as
        it was, by which splits are made; its fingerprint is another one only if something changed.

    Raises:
        DataError: If the file cannot be read, decides nothing, contradicts itself or the images, or
            leaves a class without an image.
    """
    decisions = _read(path, table)
    labels = table.labels.copy()
    keep = np.ones(len(table), dtype=bool)
    effects: dict[str, str] = {}
    for row, decision in decisions.items():
        item = table.items[row]
        if decision is None:
            keep[row] = False
            effects[item] = DROP
        elif decision != labels[row]:
            effects[item] = f"{table.classes[labels[row]]} -> {table.classes[decision]}"
            labels[row] = decision
    if not effects:
        note = f"data.corrections={path}: all {len(decisions)} decisions are what the labels say"
        return replace(table, notes=(*table.notes, note))
    _check_classes(path, table, labels[keep])
    return _changed(table, path, labels, np.flatnonzero(keep), effects)


def _changed(
    table: SampleTable,
    path: str,
    labels: NDArray[np.int64],
    rows: NDArray[np.int64],
    effects: Mapping[str, str],
) -> SampleTable:
    """The table with other labels, and with some of its rows."""
    dropped = [item for item, effect in effects.items() if effect == DROP]
    relabelled = [f"{item}: {effect}" for item, effect in effects.items() if effect != DROP]
    digest = hashlib.sha256(table.fingerprint.encode())
    for item, effect in sorted(effects.items()):
        digest.update(f"\0\0{item}\0{effect}".encode("utf-8", "surrogatepass"))
    note = (
        f"data.corrections={path}: {len(relabelled)} labels changed, {len(dropped)} images dropped"
    )
    lists = {"label changed by data.corrections": relabelled, "dropped": dropped}
    return replace(
        table,
        items=tuple(table.items[row] for row in rows.tolist()),
        labels=labels[rows],
        groups=table.groups[rows],
        given_split=None if table.given_split is None else table.given_split[rows],
        fingerprint=digest.hexdigest(),
        notes=(*table.notes, note),
        lists={**table.lists, **{what: items for what, items in lists.items() if items}},
        facts=None if table.facts is None else table.facts.take(rows),
        uncorrected=table,
    )


def _read(path: str, table: SampleTable) -> dict[int, int | None]:
    """The decisions by row of the table: a class, or None for an image that is dropped."""
    file = Path(path).expanduser()
    if not file.is_file():
        raise DataError(
            f"data.corrections={path}: there is no such file (seen from {Path.cwd()})",
            _ALLOWED,
            "make one with: python -m src.data PATH --labels",
        )
    try:
        rows, columns = read_rows(file)
    except DataError as error:
        raise DataError(f"data.corrections={path}: {error.given}", error.allowed) from None
    missing = [name for name in (FILE, LABEL) if name not in columns]
    if missing:
        raise DataError(
            f"data.corrections={path} has no column {name_some(missing)}; it has "
            f"{name_some(columns)}",
            _ALLOWED,
        )
    decided = [(number, row) for number, row in rows if row[LABEL]]
    if not decided:
        raise DataError(
            f"data.corrections={path} decides nothing: the column {LABEL} is empty in all "
            f"{len(rows)} lines",
            _ALLOWED,
            "fill it in where you have decided, or leave data.corrections out",
        )
    found = _rows_of([row[FILE] for _, row in decided], table, path)
    decisions: dict[int, int | None] = {}
    for (number, row), place in zip(decided, found, strict=True):
        where = f"data.corrections={path}, line {number}, {row[FILE]}"
        decision = _decision(row[LABEL], table, where)
        if decisions.setdefault(place, decision) != decision:
            raise DataError(
                f"{where}: the file has two decisions, {row[LABEL]} and another one before it",
                "one decision for each file",
            )
        _check_given(row, table, place, where)
    return decisions


def _rows_of(names: Sequence[str], table: SampleTable, path: str) -> list[int]:
    row_of = {item: row for row, item in enumerate(table.items)}
    spelt = [next((n for n in _spellings(name) if n in row_of), "") for name in names]
    unknown = [name for name, item in zip(names, spelt, strict=True) if not item]
    if unknown:
        raise DataError(
            f"data.corrections={path} names {len(unknown)} files that are not in {table.name}: "
            f"{name_some(unknown)}",
            f"files as they are called there, such as {name_some(table.items, 2)}",
        )
    return [row_of[item] for item in spelt]


def _spellings(name: str) -> tuple[str, ...]:
    """A name as it stands first: a table of one's own escapes nothing."""
    return name, as_text(name), name.replace("\\", "/").removeprefix("./")


def _decision(label: str, table: SampleTable, where: str) -> int | None:
    if label == DROP and DROP in table.classes:
        raise DataError(
            f"{where}: `{DROP}` is also the name of a class, so this may mean either",
            "another name for that class: data.rename",
        )
    if label == DROP:
        return None
    name = label if label in table.classes else as_text(label)
    if name in table.classes:
        return table.classes.index(name)
    close = difflib.get_close_matches(label, [*table.classes, DROP], n=1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    raise DataError(
        f"{where}: there is no class '{label}'{hint}",
        f"{name_some(table.classes, 20)}; {DROP} leaves the image out",
    )


def _check_given(row: Row, table: SampleTable, place: int, where: str) -> None:
    """Refuse decisions on labels that are no longer what the person saw."""
    given, now = row.get(GIVEN, ""), table.classes[table.labels[place]]
    if given and now not in (given, as_text(given)):
        raise DataError(
            f"{where}: its label was '{given}' when this table was made, and is '{now}' now",
            "decisions on the labels that the images have",
            f"make the table anew, or remove its column {GIVEN} if the decision holds all the same",
        )


def _check_classes(path: str, table: SampleTable, labels: NDArray[np.int64]) -> None:
    counts = np.bincount(labels, minlength=len(table.classes))
    empty = [table.classes[k] for k in np.flatnonzero(counts == 0).tolist()]
    if empty:
        raise DataError(
            f"data.corrections={path} leaves no image in class {name_some(empty)}",
            "at least one image of each class",
            "if there is no such class, remove its folder or its rows from the data set",
        )
