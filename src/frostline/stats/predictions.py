"""The predictions of a run on one split, their scores, and how much each item moves a score."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostline.stats.rules import SCORES

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
# Means over classes: each class counts alike, however few images it has.
MACRO_SCORES = ("f1_macro", "acc_macro")


@dataclass(frozen=True)
class Predictions:
    """What a run predicted for each item of one split, sorted by item.

    Attributes:
        items: Item names, `(N,)` str.
        groups: What the split keeps together (photos of one leaf share a group), `(N,)` str.
        labels: True class, `(N,)` int64.
        probs: Predicted probabilities, `(N, K)` in [0, 1]: float16 as recorded, or float32.
    """

    items: NDArray[np.str_]
    groups: NDArray[np.str_]
    labels: NDArray[np.int64]
    probs: NDArray[np.float16] | NDArray[np.float32]

    @property
    def predicted(self) -> NDArray[np.int64]:
        """The most probable class, `(N,)`; the first of equals."""
        return np.asarray(self.probs.argmax(axis=1), dtype=np.int64)

    @property
    def n_ties(self) -> int:
        """For how many items the two most probable classes are equal but for rounding."""
        if self.probs.shape[1] < 2:
            return 0
        top = np.sort(self.probs, axis=1)[:, -2:].astype(np.float64)
        return int((top[:, 1] - top[:, 0] <= 2 * np.finfo(np.float16).eps * top[:, 1]).sum())

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether the most probable class is the true one, `(N,)`."""
        return np.asarray(self.predicted == self.labels)


def value_and_influence(predictions: Predictions, score: str) -> tuple[float, Floats]:
    """A score and its linearisation: removing or repeating item i moves it by about u_i.

    The macro scores average over the classes that occur as a label or as a prediction. Their
    influences are widened by g / (g - 1) in variance, g being the number of groups of the item's
    class, as a class with few leaves says less about its own spread.

    Args:
        predictions: Of one run, N items.
        score: One of `SCORES`.

    Returns:
        The value, and influences `(N,)` float64 that sum to (about) 0.

    Raises:
        ValueError: If there is no such score.

    Source:
        Influence functions of ratios: Hampel, "The influence curve and its role in robust
        estimation", JASA 1974; F1_k = 2 TP_k / (labels_k + predictions_k).
    """
    labels, predicted = predictions.labels, predictions.predicted
    n_items = len(labels)
    if score not in SCORES:
        raise ValueError(f"score {score!r}; allowed: {', '.join(SCORES)}")
    if n_items == 0:
        return float("nan"), np.zeros(0)
    correct = (labels == predicted).astype(np.float64)
    if score == "acc_micro":
        value = float(correct.mean())
        return value, (correct - value) / n_items
    n_classes = predictions.probs.shape[1]
    labelled = np.bincount(labels, minlength=n_classes)
    predicted_as = np.bincount(predicted, minlength=n_classes)
    hits = np.bincount(labels[correct > 0], minlength=n_classes)
    widened = _widening(predictions.groups, labels, n_classes)
    if score == "acc_macro":
        occurs = labelled > 0
        recall = hits / np.maximum(labelled, 1)
        influence = (correct - recall[labels]) / labelled[labels] / occurs.sum()
        return float(recall[occurs].mean()), influence * widened
    occurs = labelled + predicted_as > 0
    total = np.maximum(labelled + predicted_as, 1)
    f1 = 2 * hits / total
    as_label = (correct * 2 - f1[labels]) / total[labels]
    as_prediction = -f1[predicted] / total[predicted]
    return float(f1[occurs].mean()), (as_label + as_prediction) / occurs.sum() * widened


def groups_of_classes(predictions: Predictions) -> dict[int, frozenset[str]]:
    """The groups in which each labelled class has images."""
    labels, groups = predictions.labels, predictions.groups
    return {int(k): frozenset(groups[labels == k].tolist()) for k in np.unique(labels)}


def confusion(labels: Ints, predicted: Ints, n_classes: int) -> Ints:
    """Counts `(K, K)`: true class by predicted class."""
    flat = np.bincount(labels * n_classes + predicted, minlength=n_classes**2)
    return flat.reshape(n_classes, n_classes).astype(np.int64)


def f1_from_counts(hits: Floats, labelled: Floats, predicted_as: Floats) -> Floats:
    """F1 from counts of any equal shape; NaN where a class is neither a label nor a prediction."""
    total = labelled + predicted_as
    return np.where(total > 0, 2 * hits / np.maximum(total, 1), np.nan)


def _widening(groups: NDArray[np.str_], labels: Ints, n_classes: int) -> Floats:
    """sqrt(g / (g - 1)) of each item's class, g its number of groups; 1 where g is 1."""
    group_rows = np.unique(groups, return_inverse=True)[1].astype(np.int64)
    pairs = np.unique(group_rows * n_classes + labels) % n_classes
    counts = np.bincount(pairs, minlength=n_classes).astype(np.float64)
    factor = np.sqrt(counts / np.maximum(counts - 1, 1))
    return np.asarray(factor[labels], dtype=np.float64)
