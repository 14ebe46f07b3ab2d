"""How well wrong labels are found on given images: labels are swapped on purpose and looked for."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from frostline.advice.labels.suspects import Groups, Labels, Suspects, find_suspects
from frostline.data.seeds import derive_seed

FRACTION = 0.05
# Labels swapped in all, as far as the rounds allow: a share of so many is known to some 12 points.
MIN_PLANTED = 60
MAX_ROUNDS = 5


@dataclass(frozen=True)
class Planted:
    """What became of labels that were swapped on purpose.

    Attributes:
        swapped: How many.
        found: How many of them were suspects.
        named: New suspects: the found ones, and images that nobody had touched and that were no
            suspects before.
    """

    swapped: int
    found: int
    named: int

    @property
    def recall(self) -> float:
        """Share of the swapped labels that were found."""
        return self.found / self.swapped if self.swapped else math.nan

    @property
    def precision(self) -> float:
        """Share of the new suspects that were swapped."""
        return self.found / self.named if self.named else 0.0


def swap_labels(labels: Labels, rows: Labels, *, seed: int) -> Labels:
    """Return labels in which some images have one of the other classes, each as likely.

    Args:
        labels: (N) int64, of two classes or more.
        rows: Positions of the images.
        seed: Same seed, same classes.
    """
    n_classes = int(labels.max()) + 1
    rng = np.random.default_rng(derive_seed(seed, "swap"))
    swapped = labels.copy()
    swapped[rows] = (labels[rows] + rng.integers(1, n_classes, size=len(rows))) % n_classes
    return swapped


def plant(
    features: Tensor, labels: Labels, groups: Groups, before: Suspects, *, seed: int
) -> Planted:
    """Swap labels that are no suspects, look for suspects again, and count.

    Args:
        features: (N, F) float32.
        labels: (N) int64.
        groups: (N).
        before: The suspects among the labels as they are; their heads' penalty is taken again.
        seed: Of what is swapped.
    """
    known = before.rows
    others = np.setdiff1d(np.arange(len(labels)), known)
    size = max(1, round(FRACTION * len(labels)))
    rounds = min(MAX_ROUNDS, math.ceil(MIN_PLANTED / size))
    swapped = found = named = 0
    for number in range(rounds):
        rng = np.random.default_rng(derive_seed(seed, "plant", number))
        rows = _spread(rng.permutation(others), labels, groups)[:size]
        planted = swap_labels(labels, rows, seed=derive_seed(seed, "plant", number))
        suspects = find_suspects(features, planted, groups, strengths=[before.strength]).rows
        new = np.setdiff1d(suspects, known)
        swapped += len(rows)
        found += len(np.intersect1d(new, rows))
        named += len(new)
    return Planted(swapped, found, named)


def _spread(order: NDArray[np.int64], labels: Labels, groups: Groups) -> NDArray[np.int64]:
    """Leave out images whose swap would leave their class with fewer than two groups."""
    groups_of = {k: set(groups[labels == k].tolist()) for k in np.unique(labels).tolist()}
    kept = []
    for row in order.tolist():
        left = groups_of[int(labels[row])]
        if len(left - {groups[row]}) >= 2:
            left.discard(groups[row])
            kept.append(row)
    return np.array(kept, dtype=np.int64)
