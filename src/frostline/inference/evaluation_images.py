"""The images that a run is evaluated on: a split of its own data, or another data set."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostline.config.data_settings import DataChoice
from frostline.data.load import load_table, split_of
from frostline.data.reading_notes import counted
from frostline.data.sample_table import SampleTable, name_some
from frostline.data.splits import Splits, split_digest
from frostline.errors import DataError
from frostline.inference.class_map import ClassMap, check_names, map_classes, remedy
from frostline.inference.other_data import data_of
from frostline.inference.rebuild import Rebuilt

Rows = NDArray[np.int64]
_SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class EvaluationImages:
    """Some images of a table.

    Attributes:
        table: The data set.
        rows: Rows of the table.
        name: Short name, for metrics and folders.
        description: The same in words.
        split: The split of the run's own data; None for another data set.
        mapped: From the table's classes to the run's; None if they are the same.
        notes: What was left out or mapped, in sentences.
    """

    table: SampleTable
    rows: Rows
    name: str
    description: str
    split: str | None
    mapped: ClassMap | None
    notes: tuple[str, ...]


def find_images_to_evaluate(
    rebuilt: Rebuilt, split: str | None, data: Sequence[str], class_names: Mapping[str, str]
) -> EvaluationImages:
    """Load the images of an evaluation.

    Args:
        rebuilt: The run.
        split: `train`, `val`, `test` or `all`; None for the test split of the run's own data, or
            all images of another data set.
        data: The words after --data; empty for the run's own data.
        class_names: Classes of the other data set to the run's, where their names differ.

    Raises:
        DataError: If the data cannot be read, have changed, or share no class with the run.
    """
    if not data:
        table, splits = own_data(rebuilt)
        return _of_own_data(table, splits, split or "test")
    wanted = data_of(data, rebuilt.settings, rebuilt.value_range)
    table = load_table(wanted, min_classes=1, in_chans=rebuilt.settings.in_chans)
    tags = rebuilt.record.tags if rebuilt.record else {}
    if table.fingerprint == tags.get("frostline.data_fingerprint"):
        # The run's own images at another place.
        check_names(class_names.keys(), table.classes, "the data set's")
        check_names(class_names.values(), rebuilt.classes, "the run's")
        own = _of_own_data(table, own_splits(rebuilt, table), split or "test")
        which = "all of its images" if own.split == "all" else f"its {own.split} split"
        note = (
            f"{table.name} is the run's own data: {which}, {len(own.rows)} of {len(table)} images"
        )
        return replace(own, notes=(note, *own.notes))
    other = _of_other_data(rebuilt, table, split, data, class_names)
    if split not in _SPLITS and _has_own_path(wanted, rebuilt):
        note = (
            f"{table.name} is what {rebuilt.name} was trained on, changed or read otherwise since: "
            "images that it was trained on are among these, so the figures are too good"
        )
        return replace(other, notes=(note, *other.notes))
    return other


def _has_own_path(data: DataChoice, rebuilt: Rebuilt) -> bool:
    """Whether a data set lies where that of the run did, as seen from here."""
    paths = [getattr(each, "path", None) for each in (data, rebuilt.settings.data)]
    here, own = (None if path is None else Path(path).expanduser().resolve() for path in paths)
    return own is not None and here == own


def own_data(rebuilt: Rebuilt) -> tuple[SampleTable, Splits]:
    """Load the data set that a run was trained on, with the splits that it had.

    Raises:
        DataError: If it cannot be read, or has changed.
    """
    data = rebuilt.settings.data
    path = getattr(data, "path", None)
    if path is not None and not Path(path).expanduser().exists():
        raise DataError(
            f"the data that {rebuilt.name} was trained on are no longer at {path} "
            f"(seen from {Path.cwd()})",
            todo="give their present place: --data DIR",
        )
    table = load_table(data, in_chans=rebuilt.settings.in_chans)
    return table, own_splits(rebuilt, table)


def own_splits(rebuilt: Rebuilt, table: SampleTable) -> Splits:
    """Split the data set of a run as its training did.

    Raises:
        DataError: If the data set or its splits have changed.
    """
    tags = rebuilt.record.tags if rebuilt.record else {}
    recorded = tags.get("frostline.data_fingerprint", table.fingerprint)
    if table.fingerprint != recorded:
        raise DataError(
            f"the data set {table.name} has changed since {rebuilt.name} was trained "
            f"(fingerprint {table.fingerprint[:12]}, then {recorded[:12]}): images of its test "
            "split may have been trained on",
            todo="give the data set as it was, or evaluate the run on another one with --data DIR",
        )
    splits = split_of(table, rebuilt.settings.data, seed=rebuilt.settings.seed)
    digest = split_digest(table, splits)
    if tags.get("frostline.split_digest", digest) != digest:
        raise DataError(
            f"the splits of {table.name} differ from those that {rebuilt.name} was trained with",
            todo="use the version of Frostline that the run names, or train the run again",
        )
    return splits


def _of_own_data(table: SampleTable, splits: Splits, split: str) -> EvaluationImages:
    by_name = splits.named()
    skipped = _skipped_notes(table)
    if split == "all":
        rows = np.sort(np.concatenate(list(by_name.values())))
        notes = ("these include the images that it was trained on", *skipped)
        return EvaluationImages(
            table, rows, split, "all images of its own data", split, None, notes
        )
    return EvaluationImages(
        table, by_name[split], split, f"its own {split} split", split, None, skipped
    )


def _skipped_notes(table: SampleTable) -> tuple[str, ...]:
    if not table.skipped:
        return ()
    named = name_some((f"{bad.path}: {bad.reason}" for bad in table.skipped), 5)
    return (f"left out, {counted(len(table.skipped), 'unreadable image')}: {named}",)


def _of_other_data(
    rebuilt: Rebuilt,
    table: SampleTable,
    split: str | None,
    data: Sequence[str],
    class_names: Mapping[str, str],
) -> EvaluationImages:
    rows = np.arange(len(table))
    description = table.name
    if split in _SPLITS:
        if table.given_split is None or not (table.given_split == split).any():
            raise DataError(
                f"--split {split}: {table.name} has no such split",
                "--split all",
                "leave --split out: all of its images are evaluated",
            )
        rows = np.flatnonzero(table.given_split == split)
        description += f", split {split}"
    mapped = map_classes(table.classes, rebuilt.classes, class_names)
    is_mapped = mapped.index[table.labels[rows]] >= 0
    name = table.name
    if all("/" not in word and "=" in word for word in data):
        name = "-".join([table.name, *data])  # the run's own source with other settings
    return EvaluationImages(
        table,
        rows[is_mapped],
        re.sub(r"[^\w.-]", "_", name),
        description,
        None,
        mapped,
        _mapping_notes(mapped, table, rows[~is_mapped]),
    )


def _mapping_notes(mapped: ClassMap, table: SampleTable, left_out: Rows) -> tuple[str, ...]:
    n_mapped = len(mapped.theirs) - len(mapped.unknown)
    are = "is a class" if n_mapped == 1 else "are classes"
    notes = [
        f"{n_mapped} of its {counted(len(mapped.theirs), 'class', 'classes')} {are} of the run"
    ]
    if mapped.respelt:
        pairs = [f"{theirs} -> {ours}" for theirs, ours in mapped.respelt.items()]
        notes.append(f"spelt differently: {name_some(pairs)}")
    if mapped.unknown:
        words = remedy(mapped)
        notes.append(
            f"not among the run's classes, {counted(len(left_out), 'image')} left out: "
            f"{name_some(mapped.unknown)}" + (f"; if they are the same: {words}" if words else "")
        )
    if mapped.absent:
        notes.append(
            f"no image of {len(mapped.absent)} of the run's {len(mapped.ours)} classes; macro "
            f"figures are over the others: {name_some(mapped.absent)}"
        )
    notes += [*table.notes, *_skipped_notes(table)]
    return tuple(notes)
