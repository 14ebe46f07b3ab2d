"""Parts held out of the training images, whole groups at a time; accuracy on them."""

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
    _, first, codes = np.unique(groups, return_index=True, return_inverse=True)
    # No more parts than the rarest class has groups, or it would be missing where it is learnt.
    count = min(folds, max(2, int(np.bincount(labels[first])[np.unique(labels[first])].min())))
    if len(first) < 2:
        raise ValueError("all images form one group: nothing can be held out")
    part_of = _spread(labels, codes, min(count, len(first)))[codes]
    for part in np.unique(part_of):
        if not (part_of == part).all():
            yield np.flatnonzero(part_of != part), np.flatnonzero(part_of == part)


def _spread(labels: NDArray[np.int64], codes: NDArray[np.int64], parts: int) -> Rows:
    """The part that each group falls into, so that every class is spread as evenly as can be.

    One group after the other, those of few classes and many images first, goes where the classes'
    shares then differ least between the parts, of equals into the smallest. That needs no class to
    have as many groups as there are parts, unlike scikit-learn's StratifiedGroupKFold, which
    complains of rare classes.

    Source: https://www.kaggle.com/jakubwasikowski/stratified-group-k-fold-cross-validation
    """
    classes, kinds = np.unique(labels, return_inverse=True)
    counts = np.zeros((codes.max() + 1, len(classes)))
    np.add.at(counts, (codes, kinds), 1)
    in_part = np.zeros((parts, len(classes)))
    part_of = np.zeros(len(counts), dtype=np.int64)
    for group in np.argsort(-counts.std(axis=1), kind="stable"):
        tried = in_part + np.eye(parts)[:, :, None] * counts[group]  # (where to, part, class)
        unevenness = (tried / counts.sum(axis=0)).std(axis=1).mean(axis=1)
        sizes = in_part.sum(axis=1)
        best = 0
        for part in range(1, parts):
            alike = np.isclose(unevenness[part], unevenness[best])
            if unevenness[part] < unevenness[best] or (alike and sizes[part] < sizes[best]):
                best = part
        in_part[best] += counts[group]
        part_of[group] = best
    return part_of


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
