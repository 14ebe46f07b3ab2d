"""The label of each row: as pandas writes them, one-hot columns, names for numbers."""

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from frostline.data.reading_notes import ReadingNotes
from frostline.data.sample_table import name_some
from frostline.data.sources.table_text import Row
from frostline.errors import DataError

# What pandas and spreadsheets write where there is no value. Words that may be a class as well
# ("none", "NA" for North America) are a missing value only among numbers.
_NO_VALUE = frozenset({"", "nan", "<na>", "nat", "#n/a", "#na", "#n/a n/a", "-nan"})
_NO_NUMBER = _NO_VALUE | {"na", "n/a", "none", "null", "?", "-", "--", "."}
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?", re.IGNORECASE)
_SEPARATORS = re.compile(r"\s*[|;,]\s*")
_OFF = frozenset({"", "0", "0.0", "False", "false", "FALSE"})
_MAX_NAMED = 10


def labels_of_rows(
    rows: Sequence[tuple[int, Row]],
    columns: Sequence[str],
    names: Mapping[str, str],
    *,
    known: Collection[str],
    on_bad_label: str,
    notes: ReadingNotes,
) -> dict[int, str]:
    """Find the label of each row.

    Whole numbers that pandas wrote as floats are integers again. A label is missing if it is empty
    or what pandas writes for that, among numbers also -1 beside 0, 1, ...; a cell of several labels
    that other rows have one by one is not a label either.

    Args:
        rows: Line number and values of each row.
        columns: The column of labels, or several of which one holds 1.
        names: Labels to class names; a label that it names is never missing.
        known: Further labels that are classes as they stand, such as those to be renamed.
        on_bad_label: "error", or "skip": rows without one label are left out.
        notes: Receives what was taken over, left out and guessed.

    Returns:
        Line number to class name.

    Raises:
        DataError: If there are rows without exactly one label and they are not to be skipped.
    """
    bad: dict[int, str] = {}
    if len(columns) == 1:
        labels = _from_column(rows, columns[0], {*names, *known}, bad, notes)
    else:
        labels = _from_one_hot(rows, columns, bad)
    _report(bad, columns, on_bad_label, notes)
    unnamed = sorted(set(labels.values()) - set(names)) if names else []
    if unnamed and len(unnamed) < len(set(labels.values())):
        notes.add(f"data.label_names has no name for {name_some(unnamed)}", "no name", unnamed)
    return {number: names.get(label, label) for number, label in labels.items()}


def _from_column(
    rows: Sequence[tuple[int, Row]],
    column: str,
    classes: Collection[str],
    bad: dict[int, str],
    notes: ReadingNotes,
) -> dict[int, str]:
    raw = {number: row[column] for number, row in rows}
    distinct = set(raw.values()) - set(classes)
    numeric = [text for text in distinct if _NUMBER.fullmatch(text)]
    is_numeric = any(map(_NUMBER.fullmatch, raw.values())) and all(
        _NUMBER.fullmatch(text) or text.casefold() in _NO_NUMBER for text in distinct
    )
    missing = {
        text for text in distinct if text.casefold() in (_NO_NUMBER if is_numeric else _NO_VALUE)
    }
    whole = _whole(numeric) if is_numeric and numeric else {}
    if whole:
        changed = sum(whole.get(label, label) != label for label in raw.values())
        if changed:
            notes.add(f"{changed} labels in '{column}' are whole numbers written as floats")
    integers = (set(whole.values()) or set(numeric)) | (set(raw.values()) & set(classes))
    if is_numeric and "-1" not in classes and {"-1", "0"} < integers:
        missing |= {text for text in numeric if whole.get(text, text) == "-1"}
    several = set() if is_numeric else _several(distinct - missing)
    labels = {}
    for number, label in raw.items():
        if label in missing:
            bad[number] = f"has no label: '{label}'" if label else "has no label"
        elif label in several:
            bad[number] = f"has several labels: '{label}'"
        else:
            labels[number] = whole.get(label, label)
    if not is_numeric:
        _note_doubtful(Counter(labels.values()), set(classes), notes)
    return labels


def _note_doubtful(
    counts: Mapping[str, int], classes: Collection[str], notes: ReadingNotes
) -> None:
    """Say which labels were read as classes although they may be something else."""
    doubtful = sorted(
        label for label in set(counts) - set(classes) if label.casefold() in _NO_NUMBER
    )
    if doubtful:
        n = sum(counts[label] for label in doubtful)
        notes.add(f"{n} rows have the label {name_some(doubtful)}, which is read as a class")
    joined = sorted(
        label
        for label in set(counts) - set(classes)
        if len(label.split()) > 1 and set(label.split()) <= set(counts)
    )
    if joined:
        n = sum(counts[label] for label in joined)
        notes.add(
            f"{n} rows have the label {name_some(joined, 3)}, whose words are labels too; each is "
            "read as a class"
        )


def _whole(texts: Iterable[str]) -> dict[str, str]:
    """Map numbers to integers if all are whole and some are written as floats; else empty."""
    texts = list(texts)
    if all(re.fullmatch(r"[+-]?\d+", text) for text in texts):
        return {}
    if not all(Decimal(text) % 1 == 0 for text in texts):
        return {}
    # Integers stay as they are written: "01" is not "1".
    return {
        text: text if re.fullmatch(r"[+-]?\d+", text) else str(int(Decimal(text))) for text in texts
    }


def _several(labels: Collection[str]) -> set[str]:
    """Find the cells that list labels of other rows, such as `rust|scab` beside rust and scab."""
    found = set()
    for label in labels:
        inner = label.strip("[](){} ")
        parts = [part.strip("'\" ") for part in _SEPARATORS.split(inner)]
        bare = {part for part in parts if part}
        if len(parts) < 2 or not bare:
            continue
        if bare <= set(labels) - {label} or label.startswith("["):
            found.add(label)
    return found


def _from_one_hot(
    rows: Sequence[tuple[int, Row]], columns: Sequence[str], bad: dict[int, str]
) -> dict[int, str]:
    labels = {}
    for number, row in rows:
        on = [name for name in columns if row[name] not in _OFF and row[name].casefold() != "nan"]
        if len(on) == 1:
            labels[number] = on[0]
        else:
            named = f": {name_some(on)}" if on else ""
            bad[number] = f"has {len(on)} labels{named}"
    return labels


def _report(
    bad: Mapping[int, str], columns: Sequence[str], on_bad_label: str, notes: ReadingNotes
) -> None:
    if not bad:
        return
    lines = [f"line {number} {reason}" for number, reason in bad.items()]
    shown = "; ".join(lines[:_MAX_NAMED])
    shown += f"; and {len(lines) - _MAX_NAMED} more" if len(lines) > _MAX_NAMED else ""
    if on_bad_label == "skip":
        notes.add(f"ignored {len(bad)} rows without one label: {shown}", "no label", lines)
        return
    one_hot = f"exactly one of {name_some(columns)} set to 1"
    raise DataError(
        f"{len(bad)} rows have not exactly one label in {name_some(columns)}: {shown}"
        if len(bad) > 1
        else shown,
        "one label in every line" if len(columns) == 1 else one_hot,
        "complete them, leave these rows out with data.on_bad_label=skip, or, if it is a class, "
        "name it in data.label_names",
    )


def read_label_names(
    folder: Path, given: str | Sequence[str] | Mapping[str, str] | None, labels: Collection[str]
) -> dict[str, str]:
    """Read the names of labels.

    Args:
        folder: The folder of the table, which the name of a file is relative to.
        given: A JSON file of a map or a list; or the list (the names of 0, 1, ...) or map itself.
        labels: All labels of the table; a map from names to labels is turned around.

    Raises:
        DataError: If the file cannot be read or holds something else.
    """
    if given is None:
        return {}
    content: object = given
    if isinstance(given, str):
        try:
            content = json.loads((folder / given).read_text(encoding="utf-8-sig"))
        except (OSError, ValueError) as error:
            raise _bad_names(given, str(error)) from None
    if isinstance(content, Mapping):
        names = {str(label): str(name) for label, name in content.items()}
    elif isinstance(content, Sequence) and not isinstance(content, str):
        names = {str(k): str(name) for k, name in enumerate(content)}
    else:
        raise _bad_names(given, "it is neither a map nor a list")
    turned = {name: label for label, name in names.items()}
    if labels and not set(labels) & set(names) and len(turned) == len(names):
        found = set(turned) & {text.removesuffix(".0") for text in labels}
        return turned if found else names
    return names


def _bad_names(given: object, reason: str) -> DataError:
    return DataError(
        f"data.label_names={given}: {reason}",
        'a list such as [healthy,rust], or a JSON file such as {"0": "healthy"}',
    )
