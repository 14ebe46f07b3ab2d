"""Probabilities of each class for each image, from heads that were not fitted on its group."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from frostline.advice.measures.simple_classifiers import group_folds
from frostline.advice.measures.table_features import MAX_WIDTH, principal_components
from frostline.training.exact_head import Solution, solve_path

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
Groups = NDArray[np.str_]
FOLDS = 5
# Penalties on features of norm `exact_head.NORM`, from strong to weak; what is weaker fits the
# labels of the training images one by one, the wrong ones included.
STRENGTHS = (10.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.001)
# So many held-out groups of one fold choose the penalty; with fewer, those of all folds do.
ENOUGH_GROUPS = 300


@dataclass(frozen=True)
class OutOfFold:
    """What heads say of images that they have not seen.

    Attributes:
        probs: (N, K) float64, rows sum to 1.
        strength: The penalty, chosen by the mean cross-entropy over all folds, or on the first one
            alone if it holds `ENOUGH_GROUPS`.
    """

    probs: Floats
    strength: float


def out_of_fold(
    features: Tensor, labels: Labels, groups: Groups, *, strengths: Sequence[float] = STRENGTHS
) -> OutOfFold:
    """Solve a linear head on all folds but one, and let it judge that one.

    Args:
        features: (N, F) float32.
        labels: (N) int64, 0 .. K-1, each with images of two groups or more.
        groups: (N); a group is in one fold.
        strengths: Penalties to choose among, from strong to weak.

    Raises:
        ValueError: If all images form one group.
        TrainingDivergedError: If a feature is NaN or infinite.
    """
    classes = int(labels.max()) + 1
    targets = torch.from_numpy(labels)
    features = principal_components(features, MAX_WIDTH)
    solved: list[tuple[Labels, list[Solution]]] = []
    for train, held_out in group_folds(labels, groups, folds=FOLDS):
        solutions = solve_path(
            features[train],
            targets[train],
            features[held_out],
            targets[held_out],
            classes=classes,
            label_smoothing=0.0,
            class_weights=None,
            path=strengths,
        )
        if not solved and len(np.unique(groups[held_out])) >= ENOUGH_GROUPS:
            # Weak penalties take most of the time: the other folds are solved with the best alone.
            solutions = [min(solutions, key=lambda one: one.val_loss)]
            strengths = [solutions[0].strength]
        solved.append((held_out, solutions))
    # A path ends where it no longer improves: what all folds have tried is comparable.
    tried = min(len(solutions) for _, solutions in solved)
    losses = [
        sum(len(rows) * solutions[place].val_loss for rows, solutions in solved)
        for place in range(tried)
    ]
    best = int(np.argmin(losses))
    probs = np.zeros((len(labels), classes))
    for rows, solutions in solved:
        one = solutions[best]
        logits = features[rows].double() @ one.weight.double().T + one.bias.double()
        probs[rows] = torch.softmax(logits, dim=1).numpy()
    return OutOfFold(probs, solved[0][1][best].strength)
