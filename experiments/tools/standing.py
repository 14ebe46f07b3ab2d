"""Whether a strategy wins, ties or loses, and how well a score ranks depths: pure rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from frostline.stats.intervals import Estimate
from frostline.stats.paired import Seeds, compare_with_top

LEVEL = 0.95


@dataclass(frozen=True)
class Standing:
    """One strategy against the best other one, on the same test images.

    Attributes:
        strategy: The compared strategy.
        other: The best other arm on validation.
        difference: Test accuracy of the strategy minus that of the other.
        low: Lower end of its 95 % interval.
        high: Upper end.
        verdict: `wins`, `loses`, or `ties` if the interval contains 0.
    """

    strategy: str
    other: str
    difference: float
    low: float
    high: float
    verdict: str


def standing_of(strategy: str, val: Mapping[str, float], test: Mapping[str, Seeds]) -> Standing:
    """Compare one strategy with the best other arm.

    Args:
        strategy: Its name.
        val: Arm to mean validation accuracy, which chooses the other arm.
        test: Arm to its runs on the test images, by seed.

    Raises:
        ValueError: If there is no other arm, or the two share no seed.

    Source:
        Differences and intervals as in the report, see frostline.stats.variance.
    """
    others = [arm for arm in val if arm != strategy and arm in test]
    if not others:
        raise ValueError(f"nothing to compare {strategy} with")
    best = max(others, key=lambda arm: val[arm])
    comparisons = compare_with_top(
        test[best],
        {strategy: test[strategy]},
        family_size=1,
        level=LEVEL,
        equivalence=0.0,
        is_accuracy=True,
    )
    if not comparisons:
        raise ValueError(f"{strategy} and {best} share no seed on the same images")
    difference, (low, high) = comparisons[0].difference.value, comparisons[0].interval
    verdict = "wins" if low > 0 else "loses" if high < 0 else "ties"
    return Standing(strategy, best, difference, low, high, verdict)


def rank_correlation(scores: Sequence[float], outcomes: Sequence[float]) -> float:
    """Compute Kendall's tau-b between scores and outcomes; NaN if either is constant.

    Source:
        Kendall 1945.
    """
    from scipy.stats import kendalltau

    return float(kendalltau(scores, outcomes).statistic)


def mean_by_cell(values: Mapping[str, Sequence[float]]) -> tuple[float, float, float, int]:
    """Average the cell means, with a t interval over the cells.

    Seeds of one cell share its images, so they are not independent evidence.

    Args:
        values: Cell to its values; NaN is left out.

    Returns:
        The mean, both ends of its 95 % interval, and the number of values.
    """
    finite = [[v for v in own if np.isfinite(v)] for own in values.values()]
    means = np.array([np.mean(own) for own in finite if own])
    count = sum(map(len, finite))
    if len(means) < 2:
        return float(means.mean()) if len(means) else float("nan"), -1.0, 1.0, count
    se = float(means.std(ddof=1) / np.sqrt(len(means)))
    low, high = Estimate(float(means.mean()), se, len(means) - 1).interval(LEVEL)
    return float(means.mean()), max(low, -1.0), min(high, 1.0), count
