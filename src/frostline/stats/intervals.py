"""Intervals, tests and corrections: pure functions of numbers."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
Relation = Literal["better", "worse", "alike", "open"]
FEW_DISAGREEMENTS = 25


@dataclass(frozen=True)
class Estimate:
    """A value with its uncertainty.

    Attributes:
        value: In units of the score (a share of 1).
        se: Standard error, the same units.
        df: Degrees of freedom of `se`.
    """

    value: float
    se: float
    df: float

    def interval(self, level: float) -> tuple[float, float]:
        """The t interval, not clipped."""
        half = float(stats.t.ppf(0.5 + level / 2, self.df)) * self.se
        return self.value - half, self.value + half

    @property
    def p_value(self) -> float:
        """Two-sided p-value of 'the true value is 0'; 1 where nothing differs."""
        if self.se <= 0:
            return 1.0 if self.value == 0 else 0.0
        return float(2 * stats.t.sf(abs(self.value) / self.se, self.df))


@dataclass(frozen=True)
class SeedSummary:
    """Several seeds of one cell: mean, standard deviation and t interval over seeds alone."""

    mean: float
    sd: float
    low: float
    high: float
    n: int


def summarise_seeds(values: Sequence[float], level: float) -> SeedSummary:
    """Mean, sd (n - 1) and t interval; sd and interval are NaN with one seed.

    Raises:
        ValueError: If there is no value.
    """
    if not len(values):
        raise ValueError("no seeds to summarise")
    mean, n = float(np.mean(values)), len(values)
    if n == 1:
        return SeedSummary(mean, float("nan"), float("nan"), float("nan"), 1)
    sd = float(np.std(values, ddof=1))
    low, high = Estimate(mean, sd / n**0.5, n - 1).interval(level)
    return SeedSummary(mean, sd, low, high, n)


def share_interval(
    estimate: Estimate,
    level: float,
    n_groups: int,
    reach: tuple[float, float] | None = None,
) -> tuple[float, float]:
    """Interval for a share: Wilson's, with the sample size that the standard error is worth.

    Stays inside [0, 1] and has a width at 0 and 1, where the standard error is 0 and the number of
    groups is taken as the sample size.

    Args:
        estimate: The share.
        level: Such as 0.95.
        n_groups: Groups of images.
        reach: How many standard errors it goes down and up, see `frostline.stats.winner`; None for
            the t quantile both ways.

    Source:
        Korn and Graubard, "Confidence intervals for proportions with small expected number of
        positive counts", Survey Methodology 1998 (effective sample size); Wilson, JASA 1927.
    """
    share = min(max(estimate.value, 0.0), 1.0)
    n = float(n_groups)
    if estimate.se > 0 and 0 < share < 1:
        n = share * (1 - share) / estimate.se**2
    t = float(stats.t.ppf(0.5 + level / 2, estimate.df))
    down, up = (t, t) if reach is None else reach
    low, high = _wilson_end(share, n, -down), _wilson_end(share, n, up)
    return max(0.0, low), min(1.0, high)


def _wilson_end(share: float, n: float, z: float) -> float:
    """The true share from which the observed one lies z standard errors below (z > 0) or above."""
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return float(centre + half)


def mcnemar(only_a: int, only_b: int) -> float:
    """Two-sided p-value of McNemar's test on the items that exactly one of two models gets right.

    Exact (binomial) with fewer than 25 such items, else chi-squared with continuity correction.

    Source:
        McNemar, Psychometrika 1947; Edwards, Psychometrika 1948 (correction).
    """
    total = only_a + only_b
    if total == 0:
        return 1.0
    if total < FEW_DISAGREEMENTS:
        return float(stats.binomtest(only_a, total, 0.5).pvalue)
    return float(stats.chi2.sf(max(0, abs(only_a - only_b) - 1) ** 2 / total, 1))


def holm(p_values: Sequence[float], family_size: int | None = None) -> Floats:
    """Holm's adjusted p-values, in the given order.

    Args:
        p_values: Each in [0, 1].
        family_size: Number of comparisons of the whole family, if these are only a part of it;
            the result is then never smaller than with all of them given.

    Raises:
        ValueError: If the family is smaller than the list.

    Source:
        Holm, Scand. J. Stat. 1979.
    """
    p = np.asarray(p_values, dtype=np.float64)
    size = len(p) if family_size is None else family_size
    if size < len(p):
        raise ValueError(f"family_size={size} for {len(p)} p-values")
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * (size - np.arange(len(p))))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, steps)
    return adjusted


def relation(interval: tuple[float, float], equivalence: float) -> Relation:
    """Read a difference's interval against a region of practical equivalence.

    Args:
        interval: Of the difference (this minus the other).
        equivalence: Half width of the region, same units, such as 0.005.

    Returns:
        `alike` (wholly within the region: too close to matter), `better` or `worse` (0 is
        excluded), or `open` (cannot be distinguished).

    Source:
        Schuirmann, J. Pharmacokinet. Biopharm. 1987 (equivalence); Kruschke, Adv. Methods Pract.
        Psychol. Sci. 2018 (region of practical equivalence).
    """
    low, high = interval
    if -equivalence <= low and high <= equivalence:
        return "alike"
    if low > 0:
        return "better"
    if high < 0:
        return "worse"
    return "open"


def bootstrap_by_group(
    per_group: Floats,
    statistic: Callable[[Floats], Floats],
    *,
    repeats: int,
    level: float,
    seed: int,
) -> tuple[Floats, Floats]:
    """Percentile interval of a statistic of sums, resampling whole groups with replacement.

    Args:
        per_group: Counts of each group, `(G, C)`.
        statistic: From sums `(R, C)` to values `(R,)` or `(R, K)`.
        repeats: R, the number of resamples.
        level: Such as 0.95.
        seed: Same seed, same interval.

    Returns:
        Low and high, of shape `()` or `(K,)`; NaN where the statistic never had a value.

    Source:
        Davison and Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8.
    """
    n_groups = len(per_group)
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=repeats)
    values = np.atleast_1d(statistic(weights.astype(np.float64) @ per_group))
    tail = (1 - level) / 2
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice")  # a class that never occurs
        low, high = np.nanquantile(values, [tail, 1 - tail], axis=0)
    return low, high
