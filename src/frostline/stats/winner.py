"""The interval of the cell that was picked for having the highest score.

The highest of several noisy scores is too high on average, and an interval around it that ignores
how it was picked holds the truth too rarely. Here it is corrected: its ends are those true scores
at which a score as high as the observed one *in a sweep where this cell comes out highest* is just
not surprising. Where the others are far behind, nothing changes; where some are close, the lower
end moves down. What all cells share, such as an easy validation set, picks no cell and is not
corrected for.

Exact conditioning alone gives boundless intervals where two cells are almost equal. So the truth is
also kept within an interval that holds for all cells at once, at the price of a tenth of the level.

Source:
    Andrews, Kitagawa and McCloskey, "Inference on Winners", Q. J. Econ. 2024, sections 3 and 4
    (conditional and hybrid intervals). Coverage as measured: docs/report.md.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

Floats = NDArray[np.float64]
_SPENT_ON_ALL = 0.1  # of 1 - level, as the authors propose
_DRAWS = 5_000
_SEED = 0


def winner_reach(
    means: Floats, covariance: Floats, top: int, *, df: float, level: float
) -> tuple[float, float]:
    """By how many standard errors the interval of the highest score reaches down and up.

    Args:
        means: `(C,)` observed scores.
        covariance: `(C, C)` of their errors.
        top: Place of the highest score.
        df: Degrees of freedom of its standard error.
        level: Such as 0.95.

    Returns:
        Down and up, in standard errors of the highest score; both are the t quantile where it did
        not need to be picked. Up can be negative: then even the highest plausible true score lies
        below the observed one.
    """
    quantile = float(stats.t.ppf(0.5 + level / 2, df))
    variance = float(covariance[top, top])
    if len(means) < 2 or variance <= 0:
        return quantile, quantile
    # Normal theory with errors widened so that, without a choice, the t interval comes out.
    widened = quantile / float(stats.norm.ppf(0.5 + level / 2))
    lowest, highest = _truncation(means, covariance, top)
    lowest, highest = lowest / widened, highest / widened
    spent = _SPENT_ON_ALL * (1 - level)
    reach = _reach_of_all(covariance, 1 - spent)
    tail = ((1 - level) - spent) / (1 - spent) / 2

    def share_above(mean: float, wanted: float) -> float:
        low, high = max(lowest, mean - reach), min(highest, mean + reach)
        return _share_above(mean, low, high) - wanted

    inside = reach * (1 - 1e-9)
    ends = []
    for wanted, edge in ((tail, -inside), (1 - tail, inside)):
        if share_above(-inside, wanted) * share_above(inside, wanted) >= 0:
            ends.append(edge)
        else:
            ends.append(optimize.brentq(share_above, -inside, inside, args=(wanted,), xtol=1e-6))
    return -ends[0] * widened, ends[1] * widened


def _truncation(means: Floats, covariance: Floats, top: int) -> tuple[float, float]:
    """Between which values the top's score must lie to be the top, in its standard errors from it.

    All that is independent of the top's score is held as it is.
    """
    sd = float(np.sqrt(covariance[top, top]))
    others = np.arange(len(means)) != top
    lead = np.maximum(means[top] - means[others], 0.0) / sd
    own = 1 - covariance[top, others] / sd**2  # how much a lead grows with the top's score
    lowest, highest = -np.inf, np.inf
    if (own > 1e-9).any():
        lowest = -float((lead[own > 1e-9] / own[own > 1e-9]).min())
    if (own < -1e-9).any():
        highest = float((lead[own < -1e-9] / -own[own < -1e-9]).min())
    return lowest, highest


def _reach_of_all(covariance: Floats, level: float) -> float:
    """Standard errors within which all cells' scores lie at once, with this probability."""
    sd = np.sqrt(np.maximum(np.diag(covariance), 1e-18))
    values, vectors = np.linalg.eigh(covariance / np.outer(sd, sd))
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    drawn = np.random.default_rng(_SEED).normal(size=(_DRAWS, len(covariance)))
    return float(np.quantile(np.abs(drawn @ root.T).max(axis=1), level))


def _share_above(mean: float, low: float, high: float) -> float:
    """Chance that a standard normal around `mean`, known to lie in [low, high], is above 0."""
    if low >= 0:
        return 1.0
    if high <= 0:
        return 0.0
    # Upper tails of the three bounds, in logarithms: they can be far out.
    at_zero, at_low, at_high = (special.log_ndtr(mean - x) for x in (0.0, low, high))
    top = np.exp(at_zero) - np.exp(at_high)
    whole = np.exp(at_low) - np.exp(at_high)
    return float(top / whole) if whole > 0 else float(mean > 0)
