"""Classes whose validation images are one group: nothing shows how else they might have scored.

A score that is a mean over classes gives each of them the same weight. Where all images of a class
are one group (one image, or photos of one leaf), the class contributes to the score, but nothing to
its error, as there is no second group to differ from the first. What such classes could do to a
difference is therefore bounded, not estimated: each can move it by its weight.
"""

from frostline.stats.paired import Seeds, shared_seeds

# With fewer groups of a class, its own error is hardly in an interval of a macro score.
FEW_GROUPS = 5


def lone_classes(seeds: Seeds) -> list[int]:
    """Classes that have one group of images in all seeds together; none for plain accuracy."""
    return [label for label, names in groups_by_class(seeds).items() if len(names) == 1]


def groups_by_class(seeds: Seeds) -> dict[int, set[str]]:
    """The groups of each class in all seeds together, by number; empty for plain accuracy."""
    groups: dict[int, set[str]] = {}
    for run in seeds.values():
        for label, names in run.classes.items():
            groups.setdefault(label, set()).update(names)
    return dict(sorted(groups.items()))


def lone_share(cell: Seeds, top: Seeds) -> float:
    """By how much lone classes could move the difference of two cells, 0 to 1.

    Args:
        cell: Runs of the one, by seed.
        top: Of the other.
    """
    shared = shared_seeds(cell, top)
    if not shared:
        return 0.0
    lone = lone_classes({seed: cell[seed] for seed in shared})
    n_classes = len({label for seed in shared for label in cell[seed].classes})
    return len(lone) / n_classes if n_classes else 0.0
