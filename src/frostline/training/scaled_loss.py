"""The loss of logits at the temperature that suits them best."""

import math

import torch.nn.functional as F
from scipy.optimize import minimize_scalar
from torch import Tensor

# Between which `scaled_loss` looks: losses of diverging candidates reach several hundred.
MIN_TEMPERATURE, MAX_TEMPERATURE = 1e-2, 1e4


def best_temperature(
    logits: Tensor, labels: Tensor, *, lowest: float, highest: float
) -> tuple[float, float]:
    """The temperature within two limits that suits logits best, and the loss at it.

    Args:
        logits: (N, K) float, finite; logarithms of probabilities will do.
        labels: (N,) int64 in 0 .. K - 1, at least one.
        lowest: Of the temperature, above 0.
        highest: Of the temperature.

    Returns:
        The temperature, and the mean cross-entropy of the logits divided by it, in nats.

    Source: C. Guo et al., On calibration of modern neural networks (arXiv:1706.04599), 4.2.
    """
    logits = logits.double()

    def loss(log_temperature: float) -> float:
        return float(F.cross_entropy(logits * math.exp(-log_temperature), labels))

    # It has one minimum: the loss is convex in the inverse of the temperature.
    limits = (math.log(lowest), math.log(highest))
    found = minimize_scalar(loss, bounds=limits, method="bounded", options={"xatol": 1e-6})
    return math.exp(float(found.x)), float(found.fun)


def scaled_loss(logits: Tensor, labels: Tensor) -> float:
    """The mean cross-entropy of logits at the temperature that suits them best.

    Early in a schedule a high learning rate gives logits that are far too sure: their loss is large
    although they separate the classes well. Divided by a temperature they show how well.

    Args:
        logits: (N, K) float, finite.
        labels: (N,) int64 in 0 .. K - 1, at least one.

    Returns:
        At most ln K, the loss of guessing.
    """
    return best_temperature(logits, labels, lowest=MIN_TEMPERATURE, highest=MAX_TEMPERATURE)[1]
