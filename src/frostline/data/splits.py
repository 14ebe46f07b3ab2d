"""Train, validation and test: by fractions or by folds, stratified by class, fixed by the seed.

All images of a group are in the same split.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostline.data.sample_table import SPLIT_NAMES, SampleTable, name_some
from frostline.data.seeds import derive_seed
from frostline.data.stratify import assign_groups
from frostline.errors import DataError

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Splits:
    """Table rows of each split, ascending."""

    train: Rows
    val: Rows
    test: Rows

    def named(self) -> dict[str, Rows]:
        """Return the rows by split name, in the order train, val, test."""
        return {"train": self.train, "val": self.val, "test": self.test}


def split_table(
    table: SampleTable,
    *,
    val_frac: float,
    test_frac: float,
    seed: int,
    train_fraction: float = 1.0,
    missing_class: str = "error",
) -> Splits:
    """Split a table into train, validation and test.

    Splits that the source defines are used as they are; a validation or test split that it lacks
    is taken from its training images. All images of a group are in the same split.

    Args:
        table: The images.
        val_frac: Share of the images for validation, in (0, 1).
        test_frac: Share of the images for the test, in (0, 1).
        seed: Same seed, same splits.
        train_fraction: Share of the training groups of each class to use, in (0, 1]; see
            `keep_fraction`.
        missing_class: "error", or "allow" for given splits that lack classes in val or test.

    Raises:
        DataError: If a class has fewer than three groups, a group is in two splits of the source,
            or the splits have different classes.
    """
    if not (0 < val_frac < 1 and 0 < test_frac < 1 and val_frac + test_frac < 1):
        raise DataError(
            f"val_frac={val_frac}, test_frac={test_frac} leave nothing to train on",
            "both above 0, together below 1",
        )
    split_of_row = _split_names(table, {"val": val_frac, "test": test_frac}, seed)
    splits = Splits(*(np.flatnonzero(split_of_row == name) for name in SPLIT_NAMES))
    check_splits(table, splits, missing_class=missing_class)
    if train_fraction < 1.0:
        train = keep_fraction(table, splits.train, fraction=train_fraction, seed=seed)
        splits = Splits(train, splits.val, splits.test)
    return splits


def _split_names(table: SampleTable, fracs: dict[str, float], seed: int) -> NDArray[np.str_]:
    """Return the split name of each row."""
    given = table.given_split
    if given is None:
        split_of_row = np.full(len(table), "train", dtype="<U5")
        missing = fracs
    else:
        split_of_row = given.astype("<U5")
        missing = {name: frac for name, frac in fracs.items() if not (given == name).any()}
    rows = np.flatnonzero(split_of_row == "train")
    if not missing or not len(rows):
        return split_of_row
    shares = np.array([1 - sum(missing.values()), *missing.values()])
    parts = assign_groups(
        table.labels[rows], table.groups[rows], shares, seed=seed, classes=table.classes
    )
    names = np.array(["train", *missing])
    split_of_row[rows] = names[parts]
    return split_of_row


def keep_fraction(table: SampleTable, train: Rows, *, fraction: float, seed: int) -> Rows:
    """Select a stratified share of the training groups; a larger share contains a smaller one.

    Args:
        table: The images.
        train: Rows of the training split.
        fraction: Share of the groups of each class, in (0, 1]; at least one group with images of
            the class is selected.
        seed: Determines which groups.

    Returns:
        The selected rows, ascending.
    """
    names, first, group_of = np.unique(table.groups[train], return_index=True, return_inverse=True)
    # A group with several classes counts for the class of its first image.
    label_of_group = table.labels[train][first]
    rank = np.random.default_rng(derive_seed(seed, "fraction")).permutation(len(names))
    selected = np.zeros(len(names), dtype=bool)
    for label in np.unique(label_of_group):
        groups = np.flatnonzero(label_of_group == label)
        groups = groups[np.argsort(rank[groups])]
        selected[groups[: max(1, round(fraction * len(groups)))]] = True
    for label in np.unique(table.labels[train]):
        # All groups of a class may count for other classes.
        holding = np.unique(group_of[table.labels[train] == label])
        selected[holding[np.argmin(rank[holding])]] = True
    return train[selected[group_of]]


def check_splits(table: SampleTable, splits: Splits, *, missing_class: str = "error") -> None:
    """Raise an error if scores on the splits would be meaningless.

    Raises:
        DataError: If a split is empty, a group is in two splits, or a split lacks a class.
    """
    named = splits.named()
    for name, rows in named.items():
        if not len(rows):
            raise DataError(f"the {name} split has no image")
    _check_groups(table, named)
    present = {name: set(np.unique(table.labels[rows]).tolist()) for name, rows in named.items()}
    for name, labels in present.items():
        missing = [table.classes[k] for k in range(len(table.classes)) if k not in labels]
        if missing and (name == "train" or missing_class != "allow"):
            alternative = "" if name == "train" else ", or accept it with data.missing_class=allow"
            raise DataError(
                f"the {name} split has no image of class {name_some(missing)}",
                "the same classes in train, val and test",
                f"check the folders' names{alternative}",
            )


def _check_groups(table: SampleTable, named: dict[str, Rows]) -> None:
    """Raise DataError if images of one group are in two splits."""
    first_split: dict[str, str] = {}
    split_groups: dict[str, set[str]] = {}
    for name, rows in named.items():
        for group in np.unique(table.groups[rows]).tolist():
            other = first_split.setdefault(group, name)
            if other != name:
                split_groups.setdefault(group, {other}).add(name)
    if split_groups:
        example, names = next(iter(split_groups.items()))
        raise DataError(
            f"{len(split_groups)} groups are in more than one split, such as '{example}' in "
            f"{' and '.join(sorted(names))}: the test would count photos seen in training",
            "every group in one split",
            "move the photos of a group together, or let Frostline split: one folder per class, no "
            "split folders",
        )


def carry_over(splits: Splits, table: SampleTable, other: SampleTable) -> Splits:
    """Return the splits of a table for another one that has some of its items."""
    row_of = {item: row for row, item in enumerate(other.items)}

    def rows(before: Rows) -> Rows:
        items = (table.items[row] for row in before.tolist())
        return np.array(sorted(row_of[item] for item in items if item in row_of), dtype=np.int64)

    return Splits(rows(splits.train), rows(splits.val), rows(splits.test))


def split_digest(table: SampleTable, splits: Splits) -> str:
    """Compute the sha256 over the items of each split."""
    digest = hashlib.sha256()
    for name, rows in splits.named().items():
        text = "\0".join([name, *(table.items[row] for row in rows.tolist())])
        digest.update(text.encode("utf-8", "surrogatepass") + b"\0\0")
    return digest.hexdigest()


def fold_splits(table: SampleTable, *, folds: int, fold: int, seed: int) -> Splits:
    """Split by folds: one fold is the test, the next one validation, the others training.

    Args:
        table: The images; splits defined by the source are ignored.
        folds: k, at least 3.
        fold: The fold to test on, 0 .. k-1.
        seed: Determines the folds; another seed gives k other folds.

    Raises:
        DataError: If there is no such fold, or a class has fewer than k groups.
    """
    if folds < 3 or not 0 <= fold < folds:
        raise DataError(
            f"data.folds={folds} data.fold={fold}",
            "at least 3 folds (one for test, one for validation, the others for training), "
            "fold 0 .. folds-1",
        )
    shares = np.full(folds, 1 / folds)
    part = assign_groups(table.labels, table.groups, shares, seed=seed, classes=table.classes)
    test, val = part == fold, part == (fold + 1) % folds
    splits = Splits(np.flatnonzero(~test & ~val), np.flatnonzero(val), np.flatnonzero(test))
    check_splits(table, splits)
    return splits
