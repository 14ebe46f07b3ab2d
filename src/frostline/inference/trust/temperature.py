"""Calibrated probabilities: the temperature that suits the validation images of a run best."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostline.inference.explain.calibration import (
    MAX_TEMPERATURE,
    MIN_TEMPERATURE,
    calibrate,
    fit_temperature,
)
from frostline.stats.predictions import Predictions

# With fewer, one image more or less moves the temperature by a third.
MIN_GROUPS = 20


@dataclass(frozen=True)
class Temperature:
    """A temperature, or why there is none.

    Attributes:
        value: Probabilities become `softmax(log p / value)`; 1 where there is none.
        why_not: Why there is none; empty if there is one.
        n_images: Validation images that it was fitted on.
    """

    value: float
    why_not: str
    n_images: int

    def calibrated(self, probs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return probabilities (N, K) at this temperature; the order of classes stays."""
        if self.why_not:
            return probs
        logs = np.log(np.maximum(probs.astype(np.float64), np.finfo(np.float32).tiny)) / self.value
        powers = np.exp(logs - logs.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)


def temperature_of(validation: Predictions) -> Temperature:
    """Fit a temperature on validation images, if they say which."""
    n_images, n_groups = len(validation.items), len(np.unique(validation.groups))
    if n_groups < MIN_GROUPS:
        return Temperature(
            1.0, f"{n_groups} groups of validation images are fewer than {MIN_GROUPS}", n_images
        )
    if validation.correct.all():
        return Temperature(
            1.0, "all validation images are recognised, so none shows how often it errs", n_images
        )
    value = fit_temperature(validation)
    if not 1.01 * MIN_TEMPERATURE < value < 0.99 * MAX_TEMPERATURE:
        return Temperature(1.0, f"no temperature suits them: {value:.3g} is a limit", n_images)
    return Temperature(value, "", n_images)


def calibration_errors(predictions: Predictions, temperature: Temperature) -> tuple[float, float]:
    """Return the expected calibration error (0 .. 1) without and with the temperature."""
    before = calibrate(predictions).ece
    return before, calibrate(predictions, temperature=temperature.value).ece
