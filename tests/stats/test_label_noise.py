"""The model of label noise on labels with a known truth."""

import numpy as np
import pytest

from frostline.stats.label_noise import label_noise


def labelled(rate, *, n=20_000, classes=6, sharp=1.0, seed=0):
    """Probabilities that are right at sharp=1, labels drawn from them, some of them swapped."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 3, (n, classes))
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = np.array([rng.choice(classes, p=row) for row in probs])
    wrong = rng.random(n) < rate
    labels = np.where(wrong, (truth + rng.integers(1, classes, n)) % classes, truth)
    shown = probs**sharp / (probs**sharp).sum(axis=1, keepdims=True)
    return shown, labels, wrong


@pytest.mark.parametrize("sharp", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("rate", [0.03, 0.2])
def test_rate_temperature_and_probabilities_are_found(rate, sharp):
    probs, labels, wrong = labelled(rate, sharp=sharp)
    found = label_noise(probs, labels)
    assert found.rate == pytest.approx(rate, abs=0.015)
    assert found.temperature == pytest.approx(sharp, rel=0.15)
    suspects = found.wrong > 0.5
    # Of those named with 80 % on average, some 80 % are wrong.
    assert wrong[suspects].mean() == pytest.approx(found.wrong[suspects].mean(), abs=0.06)
    assert found.wrong.sum() == pytest.approx(wrong.sum(), rel=0.35)


def test_right_labels_are_hardly_suspected():
    probs, labels, _ = labelled(0.0)
    found = label_noise(probs, labels)
    assert found.rate < 0.01
    assert (found.wrong > 0.5).mean() < 0.005


def test_by_hand():
    """With one image type of each kind the likelihood's maximum is the observed share."""
    probs = np.full((100, 2), [1 - 1e-12, 1e-12])
    labels = np.array([0] * 90 + [1] * 10)
    found = label_noise(probs, labels)
    assert found.rate == pytest.approx(0.1, abs=1e-3)
    assert found.wrong[:90] == pytest.approx(0, abs=1e-6)
    assert found.wrong[90:] == pytest.approx(1, abs=1e-6)
