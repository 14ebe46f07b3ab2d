"""Had a run finished learning? Its curves at the end against the best stretch before.

A schedule that takes the learning rate to zero makes every curve flat at its end, and a score on
few images is noisy, so neither the last step nor the place of the best epoch says much. Compared
are means: of the last quarter of the epochs, and of the best equally long stretch before it. A run
that has finished gains nothing there, or no more than its curve jumps from epoch to epoch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MIN_EPOCHS = 4
_BEYOND_NOISE = 2.0  # standard errors


@dataclass(frozen=True)
class LateGain:
    """What the last quarter of the epochs added, mean of the seeds.

    Attributes:
        gain: By how much the last quarter is better than the best equally long stretch before it;
            units of the curve, negative where it is worse.
        share: The same as a share of the curve's last value.
        se: Standard error of `gain`, from jumps between epochs and differences between seeds.
        n_last: Epochs in the last quarter.
    """

    gain: float
    share: float
    se: float
    n_last: int

    @property
    def beyond_noise(self) -> bool:
        """Whether the gain is more than noise."""
        return self.gain > _BEYOND_NOISE * self.se


def late_gain(curves: Sequence[Sequence[float]], *, falls: bool) -> LateGain | None:
    """Compare the ends of a cell's curves with what was reached before.

    Args:
        curves: A value an epoch, for each seed.
        falls: Whether lower is better, as for a loss.

    Returns:
        None if no curve has `MIN_EPOCHS` finite values.
    """
    usable = [np.asarray(curve, dtype=np.float64) for curve in curves]
    usable = [curve[np.isfinite(curve)] for curve in usable]
    usable = [curve if falls else -curve for curve in usable if len(curve) >= MIN_EPOCHS]
    if not usable:
        return None
    lasts = [last_quarter(len(curve)) for curve in usable]
    pairs = list(zip(usable, lasts, strict=True))
    gains = np.array([_stretches(c[:-n], n).min() - c[-n:].mean() for c, n in pairs])
    ends = np.array([abs(curve[-n:].mean()) for curve, n in pairs])
    jumps = np.array([_jump(c[-2 * n :]) * np.sqrt(2 / n) for c, n in pairs])
    se = float(np.sqrt((jumps**2).sum())) / len(gains)
    if len(gains) > 1:
        se = max(se, float(gains.std(ddof=1)) / len(gains) ** 0.5)
    gain = float(gains.mean())
    return LateGain(gain, gain / max(float(ends.mean()), 1e-12), se, int(np.median(lasts)))


def last_quarter(n_epochs: int) -> int:
    """How many epochs the last quarter has, two at least."""
    return max(2, round(n_epochs / 4))


def _stretches(curve: Floats, length: int) -> Floats:
    """Means of all stretches of this length."""
    windows = np.lib.stride_tricks.sliding_window_view(curve, length)
    return np.asarray(windows.mean(axis=1), dtype=np.float64)


def _jump(curve: Floats) -> float:
    """Standard deviation of an epoch around the trend, from second differences.

    Source: von Neumann's successive differences, taken twice, so that a slope does not count.
    """
    second = np.diff(curve, n=2)
    return float(np.sqrt((second**2).mean() / 6))
