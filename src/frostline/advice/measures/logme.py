"""LogME: how well a Bayesian linear model explains the labels by given features."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MAX_ITERATIONS = 10_000
TOLERANCE = 1e-13  # of the evidence per sample, between two iterations


def logme(features: Floats, labels: NDArray[np.int64]) -> float:
    """Return the largest log evidence per sample, averaged over one-against-rest targets.

    The model is y = Fm + noise with prior m ~ N(0, 1/alpha) and noise N(0, 1/beta); alpha and beta
    maximise the probability of the labels.

    Args:
        features: (N, D) float64, any scale.
        labels: (N) int64; classes without a sample are ignored.

    Returns:
        The mean of L / N in nats; larger is better, and it may be of either sign.

    Raises:
        ValueError: If there is one class only, or a feature is not finite.

    Source:
        You et al. 2021, "LogME: Practical Assessment of Pre-trained Models for Transfer Learning",
        ICML, equations 2 and 3 and algorithm 1.
    """
    classes = np.unique(labels)
    if len(classes) < 2:
        raise ValueError("LogME needs two classes or more")
    if not np.isfinite(features).all():
        raise ValueError("LogME needs finite features")
    left, singular, _ = np.linalg.svd(features.astype(np.float64), full_matrices=False)
    nonzero = singular > singular.max(initial=0.0) * max(features.shape) * np.finfo(np.float64).eps
    spectrum = singular[nonzero] ** 2
    evidences = []
    for label in classes:
        target = (labels == label).astype(np.float64)
        parts = (left[:, nonzero].T @ target) ** 2
        outside = max(float(target @ target - parts.sum()), 0.0)
        evidences.append(best_evidence(spectrum, parts, outside, *features.shape))
    return float(np.mean(evidences))


def best_evidence(spectrum: Floats, parts: Floats, outside: float, n: int, width: int) -> float:
    """Return the evidence per sample of one target at the fixed point of alpha and beta.

    gamma = sum s / (s + alpha/beta), alpha = gamma / |m|^2, beta = (N - gamma) / |y - Fm|^2.

    Args:
        spectrum: (K) s, the squared singular values of F above zero.
        parts: (K) squared lengths of the target along F's left singular vectors.
        outside: Squared length of the target outside of F's span.
        n: N, number of samples.
        width: D, number of features.

    Source:
        You et al. 2021, algorithm 1.
    """
    alpha = beta = 1.0
    last = -np.inf
    value = evidence(spectrum, parts, outside, n, width, alpha, beta)
    for _ in range(MAX_ITERATIONS):
        if abs(value - last) <= TOLERANCE:
            break
        ratio = alpha / beta
        gamma = float((spectrum / (spectrum + ratio)).sum())
        size = float((spectrum * parts / (spectrum + ratio) ** 2).sum())
        rest = float((parts * (ratio / (spectrum + ratio)) ** 2).sum()) + outside
        tiny = np.finfo(np.float64).tiny
        alpha, beta = gamma / max(size, tiny), (n - gamma) / max(rest, tiny)
        if not 1e-12 < alpha / beta < 1e12 * float(spectrum.max(initial=1.0)):
            # No signal at all, or no noise at all: the supremum is at infinity.
            break
        last, value = value, evidence(spectrum, parts, outside, n, width, alpha, beta)
    return value


def evidence(
    spectrum: Floats, parts: Floats, outside: float, n: int, width: int, alpha: float, beta: float
) -> float:
    """Return the log evidence per sample at given alpha and beta.

    Source:
        You et al. 2021, equation 2, written with the singular values of F.
    """
    ratio = alpha / beta
    size = float((spectrum * parts / (spectrum + ratio) ** 2).sum())
    rest = float((parts * (ratio / (spectrum + ratio)) ** 2).sum()) + outside
    determinant = float(np.log(alpha + beta * spectrum).sum())
    determinant += (width - len(spectrum)) * np.log(alpha)
    total = 0.5 * (
        n * np.log(beta)
        + width * np.log(alpha)
        - n * np.log(2 * np.pi)
        - beta * rest
        - alpha * size
        - determinant
    )
    return float(total / n)
