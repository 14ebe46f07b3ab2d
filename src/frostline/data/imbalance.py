"""Weights against class imbalance."""

import numpy as np
from numpy.typing import NDArray


def class_weights(
    labels: NDArray[np.int64], n_classes: int, *, strength: float
) -> NDArray[np.float64]:
    """Compute the weights of the classes in the loss from the counts of the training split.

    Args:
        labels: (N) int64, labels of the training images.
        n_classes: K.
        strength: 0: all weights are 1; 1: inversely proportional to the counts; between: the
            inverse counts to that power.

    Returns:
        (K) weights; their mean over the N images is 1, so that the scale of the loss is unchanged.

    Source: the balanced heuristic of King and Zeng 2001 (scikit-learn's `class_weight`) for
    strength 1.
    """
    counts = np.bincount(labels, minlength=n_classes).astype(np.float64)
    weights = np.where(counts > 0, np.maximum(counts, 1) ** -strength, 0.0)
    return np.asarray(weights * counts.sum() / (weights * counts).sum())


def imbalance_ratio(counts: NDArray[np.int64]) -> float:
    """Divide the number of images of the largest class by that of the smallest nonempty one."""
    present = counts[counts > 0]
    return float(present.max() / present.min())
