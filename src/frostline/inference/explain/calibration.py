"""Whether confidence matches accuracy: reliability, ECE, temperature."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics.functional.classification import multiclass_calibration_error

from frostline.stats.predictions import Predictions
from frostline.training.scaled_loss import best_temperature

N_BINS = 15
# No network is that over- or underconfident; beyond these limits the loss hardly changes.
MIN_TEMPERATURE, MAX_TEMPERATURE = 0.05, 20.0
# Probabilities are stored as float16, which has no value between 0 and this.
_SMALLEST = 2.0**-24
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """Confidence against accuracy.

    Attributes:
        edges: Edges of the bins of confidence, `(B + 1,)` in [0, 1].
        counts: Images in each bin, `(B,)` int64.
        confidence: Mean probability of the predicted class in each bin; NaN in an empty one.
        accuracy: Share of right predictions in each bin; NaN in an empty one.
        ece: Mean of |accuracy - confidence| over images, 0 to 1.
        nll: Mean of -log p of the true class, nats.
    """

    edges: Floats
    counts: NDArray[np.int64]
    confidence: Floats
    accuracy: Floats
    ece: float
    nll: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "ece": self.ece,
            "nll": self.nll,
            "bins": [
                {"from": low, "to": high, "images": count, "confidence": conf, "accuracy": acc}
                for low, high, count, conf, acc in zip(
                    self.edges[:-1].tolist(),
                    self.edges[1:].tolist(),
                    self.counts.tolist(),
                    _or_none(self.confidence),
                    _or_none(self.accuracy),
                    strict=True,
                )
            ],
        }


def calibrate(predictions: Predictions, *, temperature: float = 1.0) -> Calibration:
    """Compute the reliability of the predicted class, at a temperature.

    Args:
        predictions: N items, N > 0.
        temperature: Probabilities are those of `softmax(log p / temperature)`; 1 changes nothing.

    Source:
        Guo et al., "On calibration of modern neural networks", ICML 2017.
    """
    log_probs = _log_probs(predictions)
    probs = torch.softmax(log_probs / temperature, dim=1)
    labels = torch.from_numpy(predictions.labels)
    top, predicted = (part.numpy() for part in probs.max(dim=1))
    right = (predicted == predictions.labels).astype(np.float64)
    edges = np.linspace(0, 1, N_BINS + 1)
    bins = np.clip(np.digitize(top, edges[1:-1], right=True), 0, N_BINS - 1)
    counts = np.bincount(bins, minlength=N_BINS)
    with np.errstate(invalid="ignore"):
        confidence = np.bincount(bins, weights=top, minlength=N_BINS) / counts
        accuracy = np.bincount(bins, weights=right, minlength=N_BINS) / counts
    ece = multiclass_calibration_error(probs, labels, probs.shape[1], n_bins=N_BINS, norm="l1")
    nll = -torch.log_softmax(log_probs / temperature, dim=1)[torch.arange(len(labels)), labels]
    return Calibration(edges, counts, confidence, accuracy, float(ece), float(nll.mean()))


def fit_temperature(predictions: Predictions) -> float:
    """Fit the temperature that maximises the likelihood of the true classes, within two limits.

    It never changes the predicted class, only its confidence. Fit it on validation images.

    Source:
        Guo et al., "On calibration of modern neural networks", ICML 2017, section 4.2.
    """
    # If every prediction is right there is no optimum: a lower temperature is always better.
    return best_temperature(
        _log_probs(predictions),
        torch.from_numpy(predictions.labels),
        lowest=MIN_TEMPERATURE,
        highest=MAX_TEMPERATURE,
    )[0]


def _log_probs(predictions: Predictions) -> Tensor:
    probs = torch.from_numpy(predictions.probs.astype(np.float64))
    return torch.log(probs.clamp_min(_SMALLEST))


def _or_none(values: Floats) -> list[float | None]:
    return [None if value != value else value for value in values.tolist()]
