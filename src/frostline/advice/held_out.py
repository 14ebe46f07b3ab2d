"""Parts held out of the training images, whole groups at a time; accuracy on them."""

import warnings
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
FOLDS = 3


def folds_of(
    labels: NDArray[np.int64], groups: NDArray[np.str_], *, folds: int = FOLDS
) -> Iterator[tuple[Rows, Rows]]:
    """Positions to learn from and positions held out; every image is held out once.

    Args:
        labels: (N) int64; each class is spread over the folds.
        groups: (N): a group is never on both sides.
        folds: How many parts, fewer where there are fewer groups.

    Raises:
        ValueError: If all images form one group.
    """
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    _, first, codes = np.unique(groups, return_index=True, return_inverse=True)
    # No more parts than the rarest class has groups, or it would be missing where it is learnt.
    count = min(folds, max(2, int(np.bincount(labels[first])[np.unique(labels[first])].min())))
    if len(first) < 2:
        raise ValueError("all images form one group: nothing can be held out")
    parts = min(count, len(first))
    # Where no class has as many images as there are parts, there is nothing to spread evenly.
    spread = np.bincount(labels).max() >= parts
    splitter = StratifiedGroupKFold(parts) if spread else GroupKFold(parts)
    with warnings.catch_warnings():
        # A class with fewer images than parts is missing from some, which is meant here.
        warnings.filterwarnings("ignore", message="The least populated class")
        for learn, held in splitter.split(labels, labels, codes):
            if len(learn) and len(held):
                yield learn, held


def standardised(features: Floats, like: Floats | None = None) -> Floats:
    """Features with mean 0 and deviation 1 by column, as those of `like` have them.

    Constant columns become 0.
    """
    like = features if like is None else like
    mean, deviation = like.mean(axis=0), like.std(axis=0)
    scale = np.where(deviation > 1e-9 * np.abs(mean) + 1e-12, deviation, np.inf)
    return np.asarray((features - mean) / scale)


def mean_of_classes(predicted: NDArray[np.int64], labels: NDArray[np.int64]) -> float:
    """Macro accuracy: the mean over the classes of the share that was found, in 0 .. 1."""
    found = [(predicted[labels == label] == label).mean() for label in np.unique(labels)]
    return float(np.mean(found))


def half_width(accuracy: float, n_groups: int) -> float:
    """Half of a 95 % interval of an accuracy seen on so many independent things (Wilson's).

    Source: Wilson 1927.
    """
    z = 1.959963984540054
    spread = accuracy * (1 - accuracy) / n_groups + z**2 / (4 * n_groups**2)
    return float(z * np.sqrt(spread) / (1 + z**2 / n_groups))
