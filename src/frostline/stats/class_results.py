"""Per-class results of a cell on one split, with intervals over groups."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.stats.intervals import Estimate, bootstrap_by_group, share_interval
from frostline.stats.predictions import Predictions, confusion, f1_from_counts

Floats = NDArray[np.float64]
REPEATS = 1000
_BOOTSTRAP_SEED = 0


@dataclass(frozen=True)
class ClassResults:
    """Results of K classes, runs of all seeds taken together; NaN where undefined.

    Attributes:
        n: Images of each class, counted once a seed.
        recall: `(K,)`.
        precision: `(K,)`.
        f1: `(K,)`.
        low: Lower ends of the intervals of `f1`.
        high: Upper ends.
        confused: `(K,)` index of the class that each is most often mistaken for; -1 for never.
        confused_frac: How often, as a share of the class.
    """

    n: Floats
    recall: Floats
    precision: Floats
    f1: Floats
    low: Floats
    high: Floats
    confused: NDArray[np.int64]
    confused_frac: Floats


def class_results(runs: Sequence[Predictions], level: float) -> ClassResults:
    """Pool the runs of a cell and bootstrap over groups (a group's photos of all seeds together).

    Args:
        runs: Predictions of one cell's seeds on one split, with the same classes.
        level: Of the intervals.
    """
    n_classes = runs[0].probs.shape[1]
    labels = np.concatenate([run.labels for run in runs])
    predicted = np.concatenate([run.predicted for run in runs])
    names, rows = np.unique(np.concatenate([run.groups for run in runs]), return_inverse=True)
    right = labels == predicted
    counts = np.stack(
        [
            _count(rows[right], labels[right], len(names), n_classes),
            _count(rows, labels, len(names), n_classes),
            _count(rows, predicted, len(names), n_classes),
        ],
        axis=1,
    )

    def f1_of(sums: Floats) -> Floats:
        parts = sums.reshape(-1, 3, n_classes)
        return f1_from_counts(parts[:, 0], parts[:, 1], parts[:, 2])

    low, high = bootstrap_by_group(
        counts.reshape(len(names), -1), f1_of, repeats=REPEATS, level=level, seed=_BOOTSTRAP_SEED
    )
    hits, labelled, predicted_as = counts.sum(axis=0)
    f1 = f1_from_counts(hits, labelled, predicted_as)
    _widen_certainties(f1, low, high, (counts[:, 1] > 0).sum(axis=0), level)
    wrong = confusion(labels, predicted, n_classes)
    np.fill_diagonal(wrong, 0)
    most = wrong.max(axis=1)
    return ClassResults(
        n=labelled,
        recall=np.where(labelled > 0, hits / np.maximum(labelled, 1), np.nan),
        precision=np.where(predicted_as > 0, hits / np.maximum(predicted_as, 1), np.nan),
        f1=f1,
        low=low,
        high=high,
        confused=np.where(most > 0, wrong.argmax(axis=1), -1),
        confused_frac=most / np.maximum(labelled, 1),
    )


def _widen_certainties(
    f1: Floats, low: Floats, high: Floats, n_groups: NDArray[np.int64], level: float
) -> None:
    """Give classes that are always, or never, right the interval of a share of their groups.

    Whichever groups are drawn again, these come out the same, and two wrong images would seem to
    say for certain that a class is never recognised.

    Args:
        f1: `(K,)`.
        low: `(K,)`; changed.
        high: `(K,)`; changed.
        n_groups: Groups of each class, `(K,)`.
        level: Of the intervals.
    """
    for k in np.flatnonzero((low == high) & np.isin(f1, (0.0, 1.0)) & (n_groups > 0)):
        certain = Estimate(float(f1[k]), 0.0, max(float(n_groups[k]) - 1, 1.0))
        low[k], high[k] = share_interval(certain, level, int(n_groups[k]))


def _count(rows: NDArray[Any], classes: NDArray[Any], n_rows: int, n_classes: int) -> Floats:
    """How often each group meets each class, `(G, K)`."""
    flat = np.bincount(rows * n_classes + classes, minlength=n_rows * n_classes)
    return flat.reshape(n_rows, n_classes).astype(np.float64)
