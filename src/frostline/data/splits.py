"""Train, validation and test: stratified by class, groups kept together, by seed."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostline.data.sample_table import SPLIT_NAMES, SampleTable, name_some
from frostline.data.seeds import derive_seed
from frostline.errors import DataError

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Splits:
    """Table rows of each split, ascending."""

    train: Rows
    val: Rows
    test: Rows

    def named(self) -> dict[str, Rows]:
        """Rows by split name, in the order train, val, test."""
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
    """Divide a table into train, validation and test.

    Splits that the source brings are kept; a validation or test split that it lacks is taken from
    its training images. Groups never stand on two sides.

    Args:
        table: The images.
        val_frac: Share of the images for validation, in (0, 1).
        test_frac: Share of the images for the test, in (0, 1).
        seed: Same seed, same splits.
        train_fraction: Share of the training groups of each class to keep, in (0, 1]; the share
            for a smaller fraction is part of that for a larger one.
        missing_class: "error", or "allow" for given splits that lack classes in val or test.

    Raises:
        DataError: If a class has fewer than three groups, a group stands on two given sides, or
            classes differ between splits.
    """
    if not (0 < val_frac < 1 and 0 < test_frac < 1 and val_frac + test_frac < 1):
        raise DataError(
            f"val_frac={val_frac}, test_frac={test_frac} leave nothing to train on",
            "both above 0, together below 1",
        )
    side = _sides(table, {"val": val_frac, "test": test_frac}, seed)
    splits = Splits(*(np.flatnonzero(side == name) for name in SPLIT_NAMES))
    check_splits(table, splits, missing_class=missing_class)
    if train_fraction < 1.0:
        kept = keep_fraction(table, splits.train, fraction=train_fraction, seed=seed)
        splits = Splits(kept, splits.val, splits.test)
    return splits


def _sides(table: SampleTable, fracs: dict[str, float], seed: int) -> NDArray[np.str_]:
    """The split name of each row."""
    given = table.given_split
    if given is None:
        side = np.full(len(table), "train", dtype="<U5")
        lacking = fracs
    else:
        side = given.astype("<U5")
        lacking = {name: frac for name, frac in fracs.items() if not (given == name).any()}
    rows = np.flatnonzero(side == "train")
    if not lacking or not len(rows):
        return side
    shares = np.array([1 - sum(lacking.values()), *lacking.values()])
    parts = assign_groups(
        table.labels[rows], table.groups[rows], shares, seed=seed, classes=table.classes
    )
    names = np.array(["train", *lacking])
    side[rows] = names[parts]
    return side


def assign_groups(
    labels: NDArray[np.int64],
    groups: NDArray[np.str_],
    shares: NDArray[np.float64],
    *,
    seed: int,
    classes: tuple[str, ...],
) -> NDArray[np.int64]:
    """Give every group to one part, so that each part has its share of every class.

    Groups are taken in random order, those with many images first; each goes to the part that
    lacks most images of the group's classes. A part that has no image of a class yet comes first
    when few groups of that class are left.

    Args:
        labels: (N) int64 class of each image.
        groups: (N) group of each image.
        shares: (P) wanted share of each part, sums to 1.
        seed: Decides the order of the groups.
        classes: Class names, for messages.

    Returns:
        (N) int64, the part of each image.

    Raises:
        DataError: If a class has fewer groups than there are parts.
    """
    names, group_of = np.unique(groups, return_inverse=True)
    n_groups, n_classes, n_parts = len(names), len(classes), len(shares)
    pairs, counts = np.unique(np.stack([group_of, labels]), axis=1, return_counts=True)
    left = np.bincount(pairs[1], minlength=n_classes)
    _check_enough(left, np.bincount(labels, minlength=n_classes), n_parts, classes)

    held: list[list[tuple[int, int]]] = [[] for _ in range(n_groups)]
    for group, label, count in zip(*pairs.tolist(), counts.tolist(), strict=True):
        held[group].append((label, count))
    generator = np.random.default_rng(derive_seed(seed, "split"))
    order = generator.permutation(n_groups)
    sizes = np.bincount(group_of, minlength=n_groups)
    order = order[np.argsort(-sizes[order], kind="stable")]

    totals = np.bincount(labels, minlength=n_classes)
    need = (shares[:, None] * totals[None, :]).tolist()
    has = np.zeros((n_parts, n_classes), dtype=np.int64).tolist()
    remaining = left.tolist()
    part_of_group = np.empty(n_groups, dtype=np.int64)
    for group in order.tolist():
        part = _choose_part(held[group], need, has, remaining)
        part_of_group[group] = part
        for label, count in held[group]:
            need[part][label] -= count
            has[part][label] += count
            remaining[label] -= 1
    return part_of_group[group_of]


def _choose_part(
    held: list[tuple[int, int]],
    need: list[list[float]],
    has: list[list[int]],
    remaining: list[int],
) -> int:
    """The part that should take a group holding these (class, count) pairs."""
    n_parts = len(need)
    urgent = [0] * n_parts
    for label, _ in held:
        without = [part for part in range(n_parts) if has[part][label] == 0]
        if remaining[label] <= len(without):
            for part in without:
                urgent[part] += 1
    lack = [sum(need[part][label] for label, _ in held) for part in range(n_parts)]
    return max(range(n_parts), key=lambda part: (urgent[part], lack[part], -part))


def _check_enough(
    n_groups: NDArray[np.int64],
    n_images: NDArray[np.int64],
    n_parts: int,
    classes: tuple[str, ...],
) -> None:
    """Raises DataError where a class has too few groups to stand in every part."""
    few = np.flatnonzero(n_groups < n_parts)
    if not len(few):
        return
    lines = []
    for label in few.tolist():
        grouped = f" in {n_groups[label]} groups" if n_images[label] != n_groups[label] else ""
        lines.append(f"class '{classes[label]}' has {n_images[label]} images{grouped}")
    shown = lines[:10] + ([f"and {len(lines) - 10} more classes"] if len(lines) > 10 else [])
    parts = "train, validation and test each need one" if n_parts == 3 else "each part needs one"
    raise DataError(
        "too few images to split: " + "; ".join(shown),
        f"at least {n_parts} images (or groups of photos of one thing) in every class: {parts}",
        "add images, or remove the class",
    )


def keep_fraction(table: SampleTable, train: Rows, *, fraction: float, seed: int) -> Rows:
    """A stratified share of the training groups; smaller shares are part of larger ones.

    Args:
        table: The images.
        train: Rows of the training split.
        fraction: Share of the groups of each class, in (0, 1]; at least one group that holds the
            class stays.
        seed: Decides which.

    Returns:
        Rows, ascending.
    """
    names, first, group_of = np.unique(table.groups[train], return_index=True, return_inverse=True)
    # A group of several classes counts for the class of its first image.
    label_of_group = table.labels[train][first]
    rank = np.random.default_rng(derive_seed(seed, "fraction")).permutation(len(names))
    kept = np.zeros(len(names), dtype=bool)
    for label in np.unique(label_of_group):
        groups = np.flatnonzero(label_of_group == label)
        groups = groups[np.argsort(rank[groups])]
        kept[groups[: max(1, round(fraction * len(groups)))]] = True
    for label in np.unique(table.labels[train]):
        # A class may stand in groups alone that count for others.
        holding = np.unique(group_of[table.labels[train] == label])
        kept[holding[np.argmin(rank[holding])]] = True
    return train[kept[group_of]]


def check_splits(table: SampleTable, splits: Splits, *, missing_class: str = "error") -> None:
    """Refuse splits on which no score means anything.

    Raises:
        DataError: If a split is empty, a group stands in two splits, or a class lacks in one.
    """
    named = splits.named()
    for name, rows in named.items():
        if not len(rows):
            raise DataError(f"the {name} split holds no image")
    _check_groups(table, named)
    present = {name: set(np.unique(table.labels[rows]).tolist()) for name, rows in named.items()}
    for name, labels in present.items():
        lacking = [table.classes[k] for k in range(len(table.classes)) if k not in labels]
        if lacking and (name == "train" or missing_class != "allow"):
            wayout = "" if name == "train" else ", or accept it with data.missing_class=allow"
            raise DataError(
                f"the {name} split has no image of class {name_some(lacking)}",
                "the same classes in train, val and test",
                f"check the folders' names{wayout}",
            )


def _check_groups(table: SampleTable, named: dict[str, Rows]) -> None:
    """Raises DataError if photos of one thing stand in two splits."""
    seen: dict[str, str] = {}
    torn: dict[str, set[str]] = {}
    for name, rows in named.items():
        for group in np.unique(table.groups[rows]).tolist():
            other = seen.setdefault(group, name)
            if other != name:
                torn.setdefault(group, {other}).add(name)
    if torn:
        example, sides = next(iter(torn.items()))
        raise DataError(
            f"{len(torn)} groups stand in more than one split, such as '{example}' in "
            f"{' and '.join(sorted(sides))}: the test would count photos seen in training",
            "every group in one split",
            "move the photos of a group together, or let Frostline split (all images in one tree)",
        )


def split_digest(table: SampleTable, splits: Splits) -> str:
    """sha256 over which item stands in which split."""
    digest = hashlib.sha256()
    for name, rows in splits.named().items():
        text = "\0".join([name, *(table.items[row] for row in rows.tolist())])
        digest.update(text.encode("utf-8", "surrogatepass") + b"\0\0")
    return digest.hexdigest()
