"""How probable it is that a label is wrong, given what a classifier says of the image.

Model: with probability 1 - e the label is the class of the image, with probability e one of the
other K - 1 classes, each as likely. The classifier's probabilities of the class are q =
softmax(log p / T). So a label k is given with probability (1 - e) q_k + e (1 - q_k) / (K - 1). The
noise rate e and the temperature T are those that make the given labels most probable; the label is
wrong with the share that the second term has in this sum.

Source: N. Lawrence and B. Schölkopf, "Estimating a kernel Fisher discriminant in the presence of
label noise", ICML 2001 (labels flipped at random, the posterior of a flip); C. Guo et al., "On
calibration of modern neural networks", ICML 2017 (temperature).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_softmax

Floats = NDArray[np.float64]
_SMALLEST = 1e-12
# Beyond these nothing changes any more; a rate above one half would be a majority.
_LOG_TEMPERATURE = (-3.0, 3.0)
_LOGIT_RATE = (-9.0, 0.0)
# Where the search begins: the likelihood has one maximum as a rule, and a flat side.
_STARTS = ((0.0, -3.0), (-0.7, -3.0))


@dataclass(frozen=True)
class LabelNoise:
    """What the labels and probabilities together say.

    Attributes:
        rate: e, the share of wrong labels, in 0 .. 0.5.
        temperature: T.
        wrong: (N) the probability that each label is wrong.
    """

    rate: float
    temperature: float
    wrong: Floats


def label_noise(probs: Floats, labels: NDArray[np.int64]) -> LabelNoise:
    """Fit the model.

    Args:
        probs: (N, K) of a classifier that has not seen the images, K at least 2.
        labels: (N) int64.
    """
    logs = np.log(np.maximum(probs, _SMALLEST))
    rows = np.arange(len(labels))
    others = probs.shape[1] - 1

    def likelihoods(parameters: Floats) -> tuple[Floats, Floats]:
        """Of a right label and of a wrong one, (N) each."""
        temperature, rate = np.exp(parameters[0]), expit(parameters[1])
        q = np.exp(log_softmax(logs / temperature, axis=1)[rows, labels])
        return (1 - rate) * q, rate * (1 - q) / others

    def loss(parameters: Floats) -> float:
        right, wrong = likelihoods(parameters)
        return float(-np.log(np.maximum(right + wrong, _SMALLEST)).mean())

    found = [
        minimize(loss, start, method="Nelder-Mead", bounds=(_LOG_TEMPERATURE, _LOGIT_RATE))
        for start in _STARTS
    ]
    best = min(found, key=lambda one: float(one.fun)).x
    right, wrong = likelihoods(best)
    share = wrong / np.maximum(right + wrong, _SMALLEST)
    return LabelNoise(float(expit(best[1])), float(np.exp(best[0])), share)
