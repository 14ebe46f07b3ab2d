"""Assign groups of images to parts, so that every part gets its share of every class."""

import numpy as np
from numpy.typing import NDArray

from frostline.data.seeds import derive_seed
from frostline.errors import DataError

MAX_LISTED = 10


def assign_groups(
    labels: NDArray[np.int64],
    groups: NDArray[np.str_],
    shares: NDArray[np.float64],
    *,
    seed: int,
    classes: tuple[str, ...],
) -> NDArray[np.int64]:
    """Assign every group to one part, so that each part gets its share of every class.

    Groups are taken in random order, those with many images first. Each goes to the part that
    lacks most images of the group's classes; but when few groups of a class are left, a part that
    has no image of that class yet comes first.

    Args:
        labels: (N) int64 class of each image.
        groups: (N) group of each image.
        shares: (P) target share of each part, sums to 1.
        seed: Determines the order of the groups.
        classes: Class names, for messages.

    Returns:
        (N) int64, the part of each image.

    Raises:
        DataError: If a class has fewer groups than there are parts.
    """
    names, group_of = np.unique(groups, return_inverse=True)
    n_groups, n_classes, n_parts = len(names), len(classes), len(shares)
    pairs, counts = np.unique(np.stack([group_of, labels]), axis=1, return_counts=True)
    groups_per_class = np.bincount(pairs[1], minlength=n_classes)
    images_per_class = np.bincount(labels, minlength=n_classes)
    _check_group_counts(groups_per_class, images_per_class, n_parts, classes)

    class_counts: list[list[tuple[int, int]]] = [[] for _ in range(n_groups)]
    for group, label, count in zip(*pairs.tolist(), counts.tolist(), strict=True):
        class_counts[group].append((label, count))
    generator = np.random.default_rng(derive_seed(seed, "split"))
    order = generator.permutation(n_groups)
    sizes = np.bincount(group_of, minlength=n_groups)
    order = order[np.argsort(-sizes[order], kind="stable")]

    need = (shares[:, None] * images_per_class[None, :]).tolist()
    has = np.zeros((n_parts, n_classes), dtype=np.int64).tolist()
    remaining = groups_per_class.tolist()
    part_of_group = np.empty(n_groups, dtype=np.int64)
    for group in order.tolist():
        part = _choose_part(class_counts[group], need, has, remaining)
        part_of_group[group] = part
        for label, count in class_counts[group]:
            need[part][label] -= count
            has[part][label] += count
            remaining[label] -= 1
    return part_of_group[group_of]


def _choose_part(
    class_counts: list[tuple[int, int]],
    need: list[list[float]],
    has: list[list[int]],
    remaining: list[int],
) -> int:
    """Choose the part for a group.

    Args:
        class_counts: (class, number of images) pairs of the group.
        need: Images that each part still lacks of each class.
        has: Images that each part has of each class.
        remaining: Groups of each class that are not assigned yet.
    """
    n_parts = len(need)
    urgent = [0] * n_parts
    for label, _ in class_counts:
        without = [part for part in range(n_parts) if has[part][label] == 0]
        if remaining[label] <= len(without):
            for part in without:
                urgent[part] += 1
    lack = [sum(need[part][label] for label, _ in class_counts) for part in range(n_parts)]
    return max(range(n_parts), key=lambda part: (urgent[part], lack[part], -part))


def _check_group_counts(
    n_groups: NDArray[np.int64],
    n_images: NDArray[np.int64],
    n_parts: int,
    classes: tuple[str, ...],
) -> None:
    """Raise DataError if a class has fewer groups than there are parts."""
    few = np.flatnonzero(n_groups < n_parts)
    if not len(few):
        return
    lines = []
    for label in few.tolist():
        grouped = f" in {n_groups[label]} groups" if n_images[label] != n_groups[label] else ""
        lines.append(f"class '{classes[label]}' has {n_images[label]} images{grouped}")
    listed = lines[:MAX_LISTED]
    if len(lines) > MAX_LISTED:
        listed.append(f"and {len(lines) - MAX_LISTED} more classes")
    parts = "train, validation and test each need one" if n_parts == 3 else "each part needs one"
    raise DataError(
        "too few images to split: " + "; ".join(listed),
        f"at least {n_parts} images (or groups of photos of one object) in every class: {parts}",
        "add images, or remove the class",
    )
