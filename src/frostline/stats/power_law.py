"""The error over the number of images as a power law, and where it leads, with an interval.

Source: Hestness et al., "Deep learning scaling is predictable, empirically" (arXiv:1712.00409): in
the range between guessing and the irreducible error, error = a * n^-b.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PowerLaw:
    """log error = intercept - slope * log n, one for each of B resamples.

    Attributes:
        intercept: (B).
        slope: (B); above 0 where more images help.
    """

    intercept: Floats
    slope: Floats

    def error_at(self, n: float) -> Floats:
        """Return the error at a number of images, (B), at most 1."""
        return np.asarray(np.minimum(np.exp(self.intercept - self.slope * np.log(n)), 1.0))


def fit_power_law(sizes: Floats, errors: Floats) -> PowerLaw:
    """Fit by least squares on logarithms; larger sizes count more, as they are nearer.

    Args:
        sizes: (S) numbers of images, at least two different ones.
        errors: (B, S) above 0.
    """
    weights = np.sqrt(sizes / sizes.max())
    x, y = np.log(sizes), np.log(errors)
    mean_x = np.average(x, weights=weights)
    mean_y = np.average(y, axis=1, weights=weights)
    spread = np.average((x - mean_x) ** 2, weights=weights)
    slope = -np.average((x - mean_x) * (y - mean_y[:, None]), axis=1, weights=weights) / spread
    # More images never hurt, but for noise.
    slope = np.maximum(slope, 0.0)
    return PowerLaw(mean_y + slope * mean_x, slope)


def interval(values: Floats, level: float) -> tuple[float, float]:
    """Return the central interval of resampled values (B)."""
    low, high = np.quantile(values, [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)
