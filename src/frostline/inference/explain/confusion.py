"""Confusion: counts, rates, figures of each class, and the most confused pairs."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.spreadsheet import as_row
from frostline.stats.predictions import confusion, f1_from_counts

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ClassFigures:
    """Figures of K classes; NaN where a class has no image or was never predicted.

    Attributes:
        precision: `(K,)`, right predictions among all predictions of this class.
        recall: `(K,)`, right predictions among the images of this class.
        f1: `(K,)`, their harmonic mean.
        support: `(K,)` int64, images of this class.
    """

    precision: Floats
    recall: Floats
    f1: Floats
    support: Counts


@dataclass(frozen=True)
class ConfusedPair:
    """Images of one class that were predicted as another."""

    truth: str
    taken_for: str
    count: int
    frac: float


def count_confusions(labels: Counts, predicted: Counts, n_classes: int) -> Counts:
    """True class (rows) by predicted class (columns): `(K, K)`."""
    return confusion(labels, predicted, n_classes)


def rates_of(counts: Counts) -> Floats:
    """Shares of each true class, `(K, K)`; NaN rows for classes without images."""
    totals = counts.sum(axis=1, keepdims=True).astype(np.float64)
    return np.where(totals > 0, counts / np.maximum(totals, 1), np.nan)


def class_figures(counts: Counts) -> ClassFigures:
    """Precision, recall, F1 and support of each class, from a confusion matrix `(K, K)`."""
    hits = np.diagonal(counts).astype(np.float64)
    labelled, predicted = counts.sum(axis=1), counts.sum(axis=0)
    return ClassFigures(
        precision=np.where(predicted > 0, hits / np.maximum(predicted, 1), np.nan),
        recall=np.where(labelled > 0, hits / np.maximum(labelled, 1), np.nan),
        f1=f1_from_counts(hits, labelled.astype(np.float64), predicted.astype(np.float64)),
        support=labelled,
    )


def confused_pairs(counts: Counts, classes: Sequence[str], limit: int) -> list[ConfusedPair]:
    """Return the pairs of classes that are confused most often, by count, then by share."""
    rates = rates_of(counts)
    pairs = [
        ConfusedPair(classes[row], classes[column], int(counts[row, column]), float(rate))
        for (row, column), rate in np.ndenumerate(rates)
        if row != column and counts[row, column] > 0
    ]
    return sorted(pairs, key=lambda pair: (-pair.count, -pair.frac, pair.truth))[:limit]


def write_confusion(folder: Path, counts: Counts, classes: Sequence[str], limit: int) -> None:
    """Write confusion_counts.csv, confusion_rates.csv, classes.csv and confused_pairs.csv.

    Args:
        folder: Where the files go.
        counts: `(K, K)`.
        classes: K names.
        limit: Maximum number of pairs listed.
    """
    head = ["true class", *classes]
    _write(folder / "confusion_counts.csv", head, _named(classes, counts.tolist()))
    rates = [[_short(value) for value in row] for row in rates_of(counts).tolist()]
    _write(folder / "confusion_rates.csv", head, _named(classes, rates))
    each = class_figures(counts)
    columns = zip(
        classes,
        map(_short, each.precision.tolist()),
        map(_short, each.recall.tolist()),
        map(_short, each.f1.tolist()),
        each.support.tolist(),
        strict=True,
    )
    _write(folder / "classes.csv", ["class", "precision", "recall", "f1", "support"], columns)
    pairs = confused_pairs(counts, classes, limit)
    _write(
        folder / "confused_pairs.csv",
        ["true class", "taken for", "count", "share of the class"],
        ((pair.truth, pair.taken_for, pair.count, _short(pair.frac)) for pair in pairs),
    )


def _named(classes: Sequence[str], rows: Sequence[Sequence[Any]]) -> Iterable[list[Any]]:
    return ([name, *row] for name, row in zip(classes, rows, strict=True))


def _short(value: float) -> str:
    return "" if value != value else f"{value:.6g}"


def _write(path: Path, header: Sequence[str], rows: Iterable[Iterable[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(as_row(header))
        writer.writerows(as_row(row) for row in rows)
