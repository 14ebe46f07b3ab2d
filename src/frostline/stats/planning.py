"""What more seeds could show: the smallest difference that a number of them finds."""

from scipy import stats

from frostline.stats.variance import Spread

POWER = 0.8


def smallest_gap(spread: Spread, n_seeds: int, *, df: float, alpha: float) -> float:
    """The smallest true difference of two cells that is found in 4 of 5 sweeps.

    It depends on how much seeds and images differ, not on the difference that was observed: power
    computed from that would only repeat its p-value. What the images contribute shrinks with more
    seeds only where each seed has its own split.

    Args:
        spread: The comparison's variance parts, from two seeds or more.
        n_seeds: Seeds of each cell, 2 or more.
        df: Degrees of freedom of the comparison with the seeds that there are.
        alpha: How often a claim about equal cells may be made, two-sided.

    Returns:
        Units of the score.

    Raises:
        ValueError: With one seed: it contains nothing about other seeds.

    Source:
        Sample size for a t test with power 0.8: Cohen, "Statistical Power Analysis", 1988; against
        power at the observed difference: Hoenig and Heisey, Am. Stat. 2001.
    """
    if spread.n_seeds < 2 or n_seeds < 2:
        raise ValueError("one seed contains nothing about how much seeds differ")
    stays = max(0.0, spread.items - spread.noise)
    shrinks = max(spread.between, spread.noise) * spread.n_seeds
    later_df = max(1.0, df * (n_seeds - 1) / (spread.n_seeds - 1))
    reach = float(stats.t.ppf(1 - alpha / 2, later_df) + stats.t.ppf(POWER, later_df))
    return float(reach * (stays + shrinks / n_seeds) ** 0.5)
