"""Nearest neighbours on frozen features: a cheap look at how well classes lie apart."""

import numpy as np
from numpy.typing import NDArray

from frostline.advice.held_out import standardised

Floats = NDArray[np.float64]
NEIGHBOURS = 5


def knn_predictions(
    features: Floats,
    labels: NDArray[np.int64],
    groups: NDArray[np.str_],
    *,
    neighbours: int = NEIGHBOURS,
) -> NDArray[np.int64]:
    """Each image's class by vote of its nearest neighbours among the images of other groups.

    Neighbours are near by cosine similarity of standardised features, and vote with it.

    Args:
        features: (N, D).
        labels: (N) int64.
        groups: (N): images of one group never vote for each other.
        neighbours: How many vote.

    Returns:
        (N) int64.

    Source: the weighted kNN of Wu et al. 2018 (arXiv:1805.01978); as a predictor of what
    fine-tuning gives: arXiv:2503.18528.
    """
    ready = standardised(features)
    ready = ready / np.maximum(np.linalg.norm(ready, axis=1, keepdims=True), 1e-12)
    _, group_of = np.unique(groups, return_inverse=True)
    n_classes = int(labels.max()) + 1
    predicted = np.empty(len(labels), dtype=np.int64)
    chunk = 1024
    for start in range(0, len(labels), chunk):
        rows = slice(start, start + chunk)
        near = ready[rows] @ ready.T
        near[group_of[rows, None] == group_of[None, :]] = -np.inf
        count = min(neighbours, near.shape[1] - 1)
        voters = np.argpartition(-near, count - 1, axis=1)[:, :count]
        strength = np.take_along_axis(near, voters, axis=1)
        votes = np.zeros((len(near), n_classes))
        # From [-1, 1] to (0, 1]; those of the own group do not vote.
        weights = np.where(np.isfinite(strength), 1.0 + strength, 0.0) / 2 + 0.0
        np.add.at(votes, (np.arange(len(near))[:, None], labels[voters]), weights)
        predicted[rows] = votes.argmax(axis=1)
    return predicted
