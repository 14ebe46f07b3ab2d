"""Which models are averaged: those that lower the loss on validation, and no others."""

import numpy as np
import pytest

from frostline.stats.ensemble_choice import MAX_STEPS, averaged, greedy_counts, log_loss
from frostline.stats.predictions import Predictions

LABELS = np.array([0, 0, 1, 1])


def probs(*of_truth: float) -> np.ndarray:
    p = np.array(of_truth)
    both = np.stack([p, 1 - p], axis=1)
    return np.where(LABELS[:, None] == 0, both, both[:, ::-1])


def test_the_loss_is_that_of_the_true_class() -> None:
    assert log_loss(probs(0.5, 0.5, 0.5, 0.5), LABELS) == pytest.approx(np.log(2))
    assert log_loss(probs(1.0, 1.0, 1.0, 0.0), LABELS) == pytest.approx(24 * np.log(2) / 4)


def test_models_that_know_different_images_are_taken_together_and_a_bad_one_is_not() -> None:
    one, other, bad = (
        probs(0.9, 0.9, 0.4, 0.4),
        probs(0.3, 0.4, 0.9, 0.9),
        probs(0.1, 0.1, 0.2, 0.1),
    )
    counts = greedy_counts([bad, one, other], LABELS)
    assert counts[0] == 0 and counts[1] > 0 and counts[2] > 0
    assert sum(counts) <= MAX_STEPS
    mean = (counts[1] * one + counts[2] * other) / sum(counts)
    assert log_loss(mean, LABELS) < min(log_loss(one, LABELS), log_loss(other, LABELS))


def test_the_best_one_alone_stays_alone() -> None:
    good, worse = probs(0.9, 0.9, 0.9, 0.9), probs(0.8, 0.8, 0.8, 0.8)
    assert greedy_counts([worse, good], LABELS) == [0, 1]
    assert greedy_counts([good, good], LABELS) == [1, 0]


def test_the_mean_is_weighted_and_of_the_same_items_only() -> None:
    items = np.array(["a", "b", "c", "d"])
    made = [
        Predictions(items, items, LABELS, probs(*values).astype(np.float16))
        for values in ([0.2] * 4, [0.8] * 4)
    ]
    mean = averaged(made, [3, 1])
    assert mean.probs[0] == pytest.approx([0.35, 0.65], abs=1e-3)
    other = Predictions(items[::-1], items, LABELS, made[0].probs)
    with pytest.raises(ValueError, match="other items"):
        averaged([made[0], other], [1, 1])
