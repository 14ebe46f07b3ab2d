"""Sets of classes: the quantile by hand, and its promise on data with a known truth."""

import math

import numpy as np
import pytest

from frostline.stats.prediction_sets import (
    grouped_quantile,
    groups_needed,
    held,
    sets_of,
    true_scores,
)
from frostline.stats.predictions import Predictions


def drawn(n_groups, size, rng, *, shared=1.0):
    """Predictions of three classes, whose difficulty is shared by the images of a group."""
    n = n_groups * size
    labels = rng.integers(0, 3, n)
    level = np.repeat(rng.normal(0, shared, n_groups), size)
    logits = rng.normal(0, 1, (n, 3))
    logits[np.arange(n), labels] += 1.5 + level
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    names = np.repeat([f"g{k}" for k in range(n_groups)], size)
    items = np.array([f"i{k}" for k in range(n)])
    return Predictions(items, names, labels, probs.astype(np.float16))


def test_single_images_give_the_usual_quantile():
    scores = np.arange(1.0, 20.0)  # 19 scores; ceil(20 * 0.9) = 18th
    groups = np.array([str(k) for k in range(19)])
    assert grouped_quantile(scores, groups, 0.9) == 18.0
    assert grouped_quantile(scores, groups, 0.95) == 19.0
    assert grouped_quantile(scores, groups, 0.96) == math.inf


def test_a_group_counts_as_one_however_many_images_it_has():
    few = np.arange(1.0, 10.0)
    names = np.array([str(k) for k in range(9)])
    repeated = np.concatenate([few, np.full(91, 9.0)])
    more = np.concatenate([names, np.full(91, "8")])
    assert grouped_quantile(repeated, more, 0.5) == grouped_quantile(few, names, 0.5) == 5.0


@pytest.mark.parametrize(("coverage", "needed"), [(0.5, 1), (0.9, 9), (0.95, 19), (0.99, 99)])
def test_groups_needed(coverage, needed):
    assert groups_needed(coverage) == needed
    scores = np.arange(float(needed))
    names = np.array([str(k) for k in range(needed)])
    assert grouped_quantile(scores, names, coverage) == needed - 1
    assert grouped_quantile(scores[1:], names[1:], coverage) == math.inf


def test_sets_hold_the_truth_as_often_as_asked_where_images_of_a_group_are_alike():
    rng = np.random.default_rng(0)
    covered, by_image = [], []
    for _ in range(300):
        calibration, new = drawn(15, 8, rng, shared=2.0), drawn(200, 1, rng, shared=2.0)
        scores = true_scores(calibration)
        threshold = grouped_quantile(scores, calibration.groups, 0.9)
        covered.append((true_scores(new) <= threshold).mean())
        assert held(new, threshold).mean() >= covered[-1]
        one = grouped_quantile(scores, calibration.items, 0.9)
        by_image.append((true_scores(new) <= one).mean())
    # Counted image by image they hold it less often than asked.
    assert np.mean(by_image) < 0.9 <= np.mean(covered) <= 0.9 + 2 / 16


def test_sets_always_have_the_most_probable_class_and_are_rounded_as_what_is_recorded():
    probs = np.array([[0.5, 0.3, 0.2], [0.34, 0.33, 0.33]], dtype=np.float32)
    assert sets_of(probs, 0.1).tolist() == [[True, False, False], [True, False, False]]
    assert sets_of(probs, 0.7).tolist() == [[True, True, False], [True, True, True]]
    # 1 - 2^-13 is 1 in 16 bits, so its score is 0.
    assert sets_of(np.array([[2**-13, 1 - 2**-13]], dtype=np.float32), 0.0).tolist() == [
        [False, True]
    ]
