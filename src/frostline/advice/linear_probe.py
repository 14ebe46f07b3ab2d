"""The linear probe: a linear classifier on frozen features, judged on held-out groups."""

import warnings

import numpy as np
from numpy.typing import NDArray

from frostline.advice.held_out import folds_of, standardised

Floats = NDArray[np.float64]
STRENGTH = 0.1  # inverse weight of the penalty, on standardised features
MOST_ROUNDS = 200


def fit_predict(
    learn: Floats, labels: NDArray[np.int64], other: Floats, *, strength: float = STRENGTH
) -> NDArray[np.int64]:
    """Fit a multinomial logistic regression with an L2 penalty, and predict other images.

    Args:
        learn: (N, D) features to learn from.
        labels: (N) int64, two classes or more.
        other: (M, D).
        strength: Inverse weight of the penalty.

    Returns:
        (M) int64, labels of `labels`.

    Source: Kornblith et al. 2019 (arXiv:1805.08974) for the probe. With fewer images than features
    the features are first turned into the span of the images, which leaves the solution as it is
    (the penalty does not see rotations).
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    ready, later = standardised(learn), standardised(other, like=learn)
    if ready.shape[1] > len(ready):
        _, _, turn = np.linalg.svd(ready, full_matrices=False)
        ready, later = ready @ turn.T, later @ turn.T
    model = LogisticRegression(C=strength, max_iter=MOST_ROUNDS, tol=1e-3, class_weight="balanced")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a probe need not be polished
        model.fit(ready, labels)
    return np.asarray(model.predict(later))


def probe_predictions(
    features: Floats, labels: NDArray[np.int64], groups: NDArray[np.str_]
) -> NDArray[np.int64]:
    """Each image's class by a probe that has not seen its group.

    Args:
        features: (N, D).
        labels: (N) int64.
        groups: (N).

    Returns:
        (N) int64.
    """
    predicted = np.full(len(labels), -1, dtype=np.int64)
    for learn, held in folds_of(labels, groups):
        if len(np.unique(labels[learn])) < 2:
            predicted[held] = labels[learn][0]
        else:
            predicted[held] = fit_predict(features[learn], labels[learn], features[held])
    return predicted
