"""The number of images from which one depth is ahead of another, with its interval."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_DRAWS = 20_000


@dataclass(frozen=True)
class Crossing:
    """Images a class from which one depth is ahead of another.

    Attributes:
        value: By the estimates; -inf if ahead at all sizes tried, inf at none of them up to the
            largest.
        low: Lower end of the interval, in the same units and with the same meaning of +-inf.
        high: Upper end.
    """

    value: float
    low: float
    high: float


def crossing(
    sizes: Sequence[float],
    differences: Sequence[float],
    errors: Sequence[float],
    *,
    level: float = 0.95,
    seed: int = 0,
) -> Crossing:
    """Where a difference becomes positive for good, linear in the logarithm of the size.

    The interval draws each difference from a normal distribution with its standard error, and takes
    quantiles of the crossings. It knows nothing of what lies between the sizes that were tried.

    Args:
        sizes: (S,) images a class, ascending.
        differences: (S,) score of the one depth minus that of the other.
        errors: (S,) standard errors, in the same unit.
        level: Of the interval.
        seed: Of the draws.

    Raises:
        ValueError: If the sizes do not ascend, or the lengths differ.
    """
    grid, middle, error = (np.asarray(values, float) for values in (sizes, differences, errors))
    if not len(grid) == len(middle) == len(error) or np.any(np.diff(grid) <= 0):
        raise ValueError("sizes must ascend, with a difference and an error for each")
    draws = np.random.default_rng(seed).normal(middle, error, (_DRAWS, len(grid)))
    found = _crossings(np.log(grid), draws)
    tail = (1 - level) / 2
    low, high = np.quantile(found, [tail, 1 - tail], method="closest_observation")
    value = _crossings(np.log(grid), middle[None])[0]
    ends = [one if np.isinf(one) else float(np.exp(one)) for one in (value, low, high)]
    return Crossing(*ends)


def _crossings(
    log_sizes: npt.NDArray[np.float64], rows: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Of each row (S,) the last place where it rises through zero; -inf, inf if there is none."""
    found = np.where(rows[:, -1] > 0, -np.inf, np.inf)
    # From the largest size down: the first one that is not ahead decides.
    is_open = rows[:, -1] > 0
    for upper in range(rows.shape[1] - 1, 0, -1):
        before, after = rows[:, upper - 1], rows[:, upper]
        rises = is_open & (before <= 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = -before / (after - before)
        place = log_sizes[upper - 1] + share * (log_sizes[upper] - log_sizes[upper - 1])
        found[rises] = place[rises]
        is_open &= ~rises
    return found


def as_text(one: Crossing, sizes: Sequence[float]) -> str:
    """The crossing in words, with its interval."""
    return f"{_size(one.value, sizes)} ({_size(one.low, sizes)} to {_size(one.high, sizes)})"


def _size(value: float, sizes: Sequence[float]) -> str:
    if np.isneginf(value):
        return f"below {sizes[0]:g}"
    return f"above {sizes[-1]:g}" if np.isposinf(value) else f"{value:.0f}"
