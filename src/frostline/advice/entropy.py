"""How sure the pretrained classifier is of images that it never saw."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def probabilities(features: Floats, weights: Floats, bias: Floats) -> Floats:
    """Softmax of a linear classifier.

    Args:
        features: (N, F).
        weights: (C, F).
        bias: (C).

    Returns:
        (N, C), rows sum to 1.
    """
    logits = features @ weights.T + bias
    logits -= logits.max(axis=1, keepdims=True)
    grown = np.exp(logits)
    return np.asarray(grown / grown.sum(axis=1, keepdims=True))


def normalised_entropy(probs: Floats) -> Floats:
    """Entropy of each row over its largest possible value, log C.

    Args:
        probs: (N, C), rows sum to 1.

    Returns:
        (N) in 0 .. 1; 0 where one class is certain.

    Source: Shannon 1948; as a measure of unfamiliar images: Hendrycks and Gimpel 2017
    (arXiv:1610.02136).
    """
    safe = np.where(probs > 0, probs, 1.0)
    return np.asarray(-(probs * np.log(safe)).sum(axis=1) / np.log(probs.shape[1]))


def top_confidence(probs: Floats) -> Floats:
    """The largest probability of each row, (N).

    Source: maximum softmax probability, Hendrycks and Gimpel 2017 (arXiv:1610.02136).
    """
    return np.asarray(probs.max(axis=1))
