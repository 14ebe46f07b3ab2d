"""Confusion, classes and calibration against known answers and against scikit-learn."""

import csv
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from frostline.inference.explain.calibration import calibrate, fit_temperature
from frostline.inference.explain.confusion import (
    class_figures,
    confused_pairs,
    count_confusions,
    rates_of,
    write_confusion,
)
from frostline.inference.explain.gallery import most_confident_right, worst_errors
from frostline.stats.predictions import Predictions


def predictions(labels: np.ndarray, probs: np.ndarray) -> Predictions:
    items = np.array([f"{k:05}" for k in range(len(labels))])
    return Predictions(items, items, labels.astype(np.int64), probs.astype(np.float16))


def drawn(n: int, n_classes: int, sharpness: float, seed: int = 0) -> Predictions:
    """Labels drawn from softmax(z), predicted probabilities are softmax(sharpness * z)."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, n_classes))

    def softmax(x: np.ndarray) -> np.ndarray:
        e = np.exp(x - x.max(axis=1, keepdims=True))
        return np.asarray(e / e.sum(axis=1, keepdims=True))

    true = softmax(z)
    labels = (true.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).clip(0, n_classes - 1)
    return predictions(labels, softmax(sharpness * z))


def test_classes_as_scikit_learn_has_them(tmp_path: Path) -> None:
    sample = drawn(300, 5, 1.0)
    counts = count_confusions(sample.labels, sample.predicted, 5)
    assert np.array_equal(counts, confusion_matrix(sample.labels, sample.predicted))
    each = class_figures(counts)
    expected = precision_recall_fscore_support(sample.labels, sample.predicted)
    for ours, theirs in zip((each.precision, each.recall, each.f1), expected[:3], strict=True):
        assert np.allclose(ours, theirs)
    assert np.array_equal(each.support, expected[3])
    assert np.allclose(rates_of(counts).sum(axis=1), 1)
    write_confusion(tmp_path, counts, list("abcde"), 3)
    with (tmp_path / "classes.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert [float(row["recall"]) for row in rows] == pytest.approx(expected[1].tolist(), rel=1e-5)
    assert len((tmp_path / "confused_pairs.csv").read_text().splitlines()) == 4


def test_a_class_without_images_has_no_recall_and_no_rates() -> None:
    counts = np.array([[3, 1, 0], [0, 0, 0], [2, 0, 4]])
    each = class_figures(counts)
    assert np.isnan(each.recall[1])
    assert each.precision[1] == 0.0
    assert np.isnan(rates_of(counts)[1]).all()
    pairs = [(pair.truth, pair.taken_for, pair.count) for pair in confused_pairs(counts, "abc", 9)]
    assert pairs == [("c", "a", 2), ("a", "b", 1)]


def test_calibration_error_by_hand() -> None:
    # Four answers at .75, half of them right; two at 1.0, both right: ECE = 4/6 * .25.
    probs = np.array([[0.75, 0.25]] * 4 + [[0.0, 1.0]] * 2)
    result = calibrate(predictions(np.array([0, 0, 1, 1, 1, 1]), probs))
    assert result.ece == pytest.approx(4 / 6 * 0.25)
    assert result.counts.sum() == 6
    filled = result.counts > 0
    assert result.confidence[filled].tolist() == pytest.approx([0.75, 1.0])
    assert result.accuracy[filled].tolist() == [0.5, 1.0]


@pytest.mark.parametrize("sharpness", [0.5, 2.0])
def test_temperature_is_what_was_wrong(sharpness: float) -> None:
    sample = drawn(6000, 4, sharpness)
    temperature = fit_temperature(sample)
    assert temperature == pytest.approx(sharpness, rel=0.12)
    before, after = calibrate(sample), calibrate(sample, temperature=temperature)
    assert before.ece > 0.08 > 0.04 > after.ece
    assert after.nll < before.nll


def test_temperature_has_an_end_where_everything_is_right() -> None:
    probs = np.array([[0.9, 0.1], [0.2, 0.8]])
    assert fit_temperature(predictions(np.array([0, 1]), probs)) >= 0.05


def test_the_gallery_begins_with_the_most_confident_error() -> None:
    probs = np.array([[0.6, 0.4], [0.1, 0.9], [0.7, 0.3], [0.95, 0.05], [0.2, 0.8]])
    sample = predictions(np.array([1, 0, 0, 0, 1]), probs)
    assert worst_errors(sample, 5).tolist() == [1, 0]
    # The most confident of each class in turn: classes 0 and 1, then class 0 again.
    assert most_confident_right(sample, 5).tolist() == [3, 4, 2]
