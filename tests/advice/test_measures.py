"""The measures by value, on features whose answer is known beforehand."""

import warnings

import numpy as np
import pytest

from frostline.advice.measures.familiarity import (
    normalised_entropy,
    probabilities,
    prototype_agreement,
    top_confidence,
)
from frostline.advice.measures.simple_classifiers import (
    fit_predict,
    group_folds,
    half_width,
    knn_predictions,
    macro_accuracy,
    probe_predictions,
    standardised,
)


def own_groups(n):
    return np.array([f"g{k}" for k in range(n)])


def test_uniform_and_certain_predictions():
    probs = np.array([[0.25, 0.25, 0.25, 0.25], [1.0, 0.0, 0.0, 0.0], [0.5, 0.5, 0.0, 0.0]])
    assert normalised_entropy(probs) == pytest.approx([1.0, 0.0, 0.5])
    assert top_confidence(probs) == pytest.approx([0.25, 1.0, 0.5])


def test_softmax_of_a_linear_layer_with_large_logits():
    probs = probabilities(np.array([[1.0, 0.0]]), np.array([[1000.0, 0], [1000.0, 0]]), np.zeros(2))
    assert probs == pytest.approx(np.array([[0.5, 0.5]]))
    tilted = probabilities(np.zeros((1, 2)), np.zeros((2, 2)), np.array([0.0, np.log(3.0)]))
    assert tilted == pytest.approx(np.array([[0.25, 0.75]]))


def test_agreement_is_one_on_a_prototype_and_low_elsewhere():
    rng = np.random.default_rng(0)
    prototypes = rng.normal(size=(20, 64))
    on = prototypes - prototypes.mean(axis=0)
    assert prototype_agreement(3 * on + 7, prototypes) == pytest.approx(np.ones(20))
    off = prototype_agreement(rng.normal(size=(50, 64)), prototypes)
    assert off.max() < 0.6


def test_neighbours_of_the_same_group_do_not_vote():
    # Two photos of each thing, alike to the last digit; things of a class have nothing in common.
    rng = np.random.default_rng(0)
    things = rng.normal(size=(40, 30))
    features = np.repeat(things, 2, axis=0)
    labels = np.repeat(np.arange(40) % 2, 2)
    assert macro_accuracy(knn_predictions(features, labels, own_groups(80)), labels) > 0.7
    grouped = np.repeat(own_groups(40), 2)
    assert macro_accuracy(knn_predictions(features, labels, grouped), labels) < 0.7


def test_neighbours_find_clusters():
    labels = np.repeat([0, 1, 2], 10)
    features = np.eye(3)[labels] + np.random.default_rng(0).normal(0, 0.05, (30, 3))
    assert (knn_predictions(features, labels, own_groups(30)) == labels).all()


def test_a_probe_learns_what_is_linear_and_nothing_else():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 60)
    linear = rng.normal(size=(120, 4))
    linear[:, 2] += 6 * labels
    noise = rng.normal(size=(120, 4))
    result, guessed = (probe_predictions(x, labels, own_groups(120)) for x in (linear, noise))
    assert macro_accuracy(result, labels) > 0.95
    assert macro_accuracy(guessed, labels) < 0.65


def test_turning_wide_features_leaves_the_probe_as_it_is():
    rng = np.random.default_rng(1)
    labels = np.arange(30) % 3
    learn, other = rng.normal(size=(30, 100)), rng.normal(size=(40, 100))
    turned = fit_predict(learn, labels, other)
    from sklearn.linear_model import LogisticRegression

    plain = LogisticRegression(C=0.1, class_weight="balanced", tol=1e-8, max_iter=2000)
    plain.fit(standardised(learn), labels)
    assert (turned == plain.predict(standardised(other, like=learn))).mean() >= 0.97


def test_folds_hold_every_image_out_once_and_keep_groups_whole():
    labels = np.repeat([0, 1, 2], 12)
    groups = np.repeat(own_groups(12), 3)
    seen = []
    for learn, held in group_folds(labels, groups):
        assert not set(groups[learn]) & set(groups[held])
        assert set(labels[learn]) == {0, 1, 2}
        seen += held.tolist()
    assert sorted(seen) == list(range(36))


def test_a_class_of_one_group_is_held_out_once_and_nothing_complains():
    labels = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 2])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        folds = list(group_folds(labels, own_groups(10)))
    held = [part.tolist() for _, part in folds]
    assert sorted(position for part in held for position in part) == list(range(10))
    assert sorted(np.bincount(labels[part], minlength=3).tolist() for part in held) == [
        [2, 2, 1],
        [3, 2, 0],
    ]


def test_one_group_cannot_be_held_out():
    with pytest.raises(ValueError, match="one group"):
        list(group_folds(np.array([0, 1]), np.array(["a", "a"])))


def test_macro_accuracy_and_its_interval():
    labels = np.array([0, 0, 0, 0, 1, 1])
    assert macro_accuracy(np.array([0, 0, 0, 1, 1, 0]), labels) == pytest.approx((0.75 + 0.5) / 2)
    # Wilson: half of the interval for 20 of 40 is 0.1480.
    assert half_width(0.5, 40) == pytest.approx(0.1480, abs=1e-4)


def test_constant_columns_become_zero():
    made = standardised(np.array([[1.0, 5.0], [3.0, 5.0]]))
    assert made == pytest.approx(np.array([[-1.0, 0.0], [1.0, 0.0]]))
