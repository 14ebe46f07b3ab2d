import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from frostline.stats.class_results import class_results
from frostline.stats.predictions import Predictions, value_and_influence
from frostline.stats.rules import SCORES


def _predictions(seed=0, n_items=240, n_classes=5):
    rng = np.random.default_rng(seed)
    labels = rng.choice(n_classes, n_items, p=[0.4, 0.3, 0.15, 0.1, 0.05])
    answers = np.where(rng.uniform(size=n_items) < 0.8, labels, rng.integers(0, 5, n_items))
    items = np.array([f"i{k:04d}" for k in range(n_items)])
    probs = np.eye(n_classes, dtype=np.float16)[answers]
    return Predictions(items, items, labels.astype(np.int64), probs)


def _reference(labels, answers, score):
    return {
        "acc_micro": metrics.accuracy_score,
        "acc_macro": metrics.balanced_accuracy_score,
        "f1_macro": lambda y, p: metrics.f1_score(y, p, average="macro"),
    }[score](labels, answers)


@pytest.mark.parametrize("score", SCORES)
def test_values_as_scikit_learn(score):
    made = _predictions()
    value, influence = value_and_influence(made, score)
    assert value == pytest.approx(_reference(made.labels, made.predicted, score))
    assert influence.sum() == pytest.approx(0, abs=2e-3)


@pytest.mark.parametrize("score", SCORES)
def test_influences_give_the_bootstraps_standard_error(score):
    made = _predictions()
    _, influence = value_and_influence(made, score)
    rng = np.random.default_rng(3)
    n = len(made.items)
    draws = (rng.integers(0, n, n) for _ in range(1000))
    values = [_reference(made.labels[d], made.predicted[d], score) for d in draws]
    assert np.sqrt((influence**2).sum()) == pytest.approx(np.std(values), rel=0.12)


def test_an_unknown_score_is_refused():
    with pytest.raises(ValueError, match="allowed: f1_macro, acc_macro, acc_micro"):
        value_and_influence(_predictions(), "auc")


def test_results_by_class_as_scikit_learn():
    made = _predictions()
    got = class_results([made], 0.95)
    precision, recall, f1, n = metrics.precision_recall_fscore_support(
        made.labels, made.predicted, labels=range(5)
    )
    assert got.n.tolist() == n.tolist()
    np.testing.assert_allclose([got.precision, got.recall, got.f1], [precision, recall, f1])
    assert ((got.low < got.f1) & (got.f1 < got.high)).all()
    counts = metrics.confusion_matrix(made.labels, made.predicted)
    np.fill_diagonal(counts, 0)
    assert got.confused.tolist() == counts.argmax(1).tolist()


def test_a_class_that_is_never_or_always_right_has_an_interval_with_a_width():
    # Two images of class 1, both taken for class 0; class 2 is right in all of 20.
    labels = np.array([0] * 20 + [1] * 2 + [2] * 20)
    probs = np.full((42, 4), 0.1, np.float16)
    probs[np.arange(42), np.where(labels == 1, 0, labels)] = 0.7
    names = np.array([f"{k:03d}" for k in range(42)])
    got = class_results([Predictions(names, names, labels, probs)], 0.95)
    t = stats.t.ppf(0.975, [1, 19]) ** 2
    assert (got.low[1], got.high[1]) == pytest.approx((0, t[0] / (2 + t[0])))
    assert (got.low[2], got.high[2]) == pytest.approx((20 / (20 + t[1]), 1))
    assert np.isnan([got.low[3], got.high[3]]).all()
