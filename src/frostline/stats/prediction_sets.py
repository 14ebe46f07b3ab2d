"""Split conformal prediction: sets of classes that hold the truth in a chosen share of cases.

A class is in the set of an image if its score, 1 - p, is at most the threshold. The threshold is a
quantile of the scores of the true classes of calibration images, in which each group counts as one:
photos of one leaf are alike, so that thirty photos of ten leaves are ten cases and not thirty.

Source: Sadinle, Lei and Wasserman, "Least ambiguous set-valued classifiers with bounded error
levels", JASA 2019 (the score); Lee, Barber and Willett, "Distribution-free inference with
hierarchical data" (arXiv:2306.06342), section 3 (groups: for an image of a new group the sets hold
the truth with at least the chosen probability, and at most 2 / (groups + 1) more if no two scores
are equal). With one image a group it is Vovk, Gammerman and Shafer's split conformal prediction.
"""

import math

import numpy as np
from numpy.typing import NDArray

from frostline.stats.predictions import Predictions

Floats = NDArray[np.float64]
# What sums of weights may lack by rounding.
_ROUNDING = 1e-9


def groups_needed(coverage: float) -> int:
    """How many groups a coverage needs: with fewer, only the set of all classes would hold it.

    Args:
        coverage: Above 0 and below 1.
    """
    return math.ceil(coverage / (1 - coverage) - _ROUNDING)


def grouped_quantile(scores: Floats, groups: NDArray[np.str_], coverage: float) -> float:
    """Return the score that a new group's does not exceed with a probability.

    Args:
        scores: (N).
        groups: (N); each group counts as one, its scores alike.
        coverage: The probability, above 0 and below 1.

    Returns:
        The quantile; infinity where there are too few groups.
    """
    _, codes, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    weights = 1.0 / (sizes[codes] * (len(sizes) + 1))
    order = np.argsort(scores, kind="stable")
    reached = np.cumsum(weights[order]) >= coverage - _ROUNDING
    return float(scores[order][np.argmax(reached)]) if reached.any() else math.inf


def true_scores(predictions: Predictions) -> Floats:
    """Return 1 - p of the true class, (N) in 0 .. 1."""
    probs = predictions.probs.astype(np.float64)
    return np.asarray(1 - probs[np.arange(len(probs)), predictions.labels])


def sets_of(probs: NDArray[np.floating], threshold: float) -> NDArray[np.bool_]:
    """Return which classes are in the set of each image.

    The most probable class always is: a set without any would say nothing, and with it the sets
    hold the truth at least as often.

    Args:
        probs: (N, K). They are rounded as recorded predictions are, to 16 bits, so that an image
            is judged as the calibration images were.
        threshold: From `grouped_quantile`.

    Returns:
        (N, K).
    """
    rounded = probs.astype(np.float16).astype(np.float64)
    inside = 1 - rounded <= threshold
    inside[np.arange(len(rounded)), probs.argmax(axis=1)] = True
    return np.asarray(inside)


def held(predictions: Predictions, threshold: float) -> NDArray[np.bool_]:
    """Return whether the set of each image holds its true class, (N)."""
    inside = sets_of(predictions.probs, threshold)
    return np.asarray(inside[np.arange(len(inside)), predictions.labels])
