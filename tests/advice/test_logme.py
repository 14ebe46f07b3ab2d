"""LogME against an optimisation of the evidence that shares no code with it."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

from frostline.advice.measures.logme import logme


def independent(features, labels):
    """The evidence as a plain Gaussian density of y, maximised over log alpha and log beta."""
    best = []
    for label in np.unique(labels):
        y = (labels == label).astype(float)

        def loss(logs, y=y):
            alpha, beta = np.exp(logs)
            covariance = features @ features.T / alpha + np.eye(len(y)) / beta
            return -multivariate_normal(np.zeros(len(y)), covariance).logpdf(y) / len(y)

        tries = [
            minimize(
                loss,
                start,
                method="Nelder-Mead",
                options={"xatol": 1e-10, "fatol": 1e-13, "maxiter": 6000, "maxfev": 6000},
            )
            for start in ([0.0, 0.0], [3.0, 2.0])
        ]
        best.append(-min(one.fun for one in tries))
    return float(np.mean(best))


@pytest.mark.parametrize(
    ("n", "width", "signal"), [(40, 6, 2.0), (40, 6, 0.5), (25, 60, 1.0), (30, 30, 1.0)]
)
def test_equals_the_optimum_of_the_evidence(n, width, signal):
    rng = np.random.default_rng(n + width)
    labels = np.arange(n) % 3
    features = rng.normal(size=(n, width))
    features[:, 0] += signal * (labels == 1)
    features[:, 1] += signal * (labels == 2)
    assert logme(features, labels) == pytest.approx(independent(features, labels), abs=1e-6)


def test_features_of_lower_rank():
    rng = np.random.default_rng(3)
    labels = np.arange(30) % 2
    few = rng.normal(size=(30, 3)) + labels[:, None]
    features = np.concatenate([few, few @ rng.normal(size=(3, 4))], axis=1)
    assert logme(features, labels) == pytest.approx(independent(features, labels), abs=1e-6)


def test_more_signal_is_more_evidence_and_scale_does_not_count():
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    noise = rng.normal(size=(60, 5))
    weak = noise.copy()
    weak[:, 0] += labels
    strong = noise.copy()
    strong[:, 0] += 5 * labels
    assert logme(noise, labels) < logme(weak, labels) < logme(strong, labels)
    assert logme(1000 * weak, labels) == pytest.approx(logme(weak, labels), abs=1e-6)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_features_that_say_nothing_give_a_finite_answer(value):
    assert np.isfinite(logme(np.full((20, 4), value), np.arange(20) % 2))


def test_what_cannot_be_scored_is_refused():
    with pytest.raises(ValueError, match="two classes"):
        logme(np.ones((4, 2)), np.zeros(4, dtype=np.int64))
    with pytest.raises(ValueError, match="finite"):
        logme(np.array([[np.nan], [1.0]]), np.array([0, 1]))
