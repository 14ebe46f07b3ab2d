"""How many seeds, or images, a comparison would have needed."""

import math
from dataclasses import dataclass

from scipy import stats

from frostline.stats.variance import Spread

POWER = 0.8
MAX_SEEDS = 100


@dataclass(frozen=True)
class Need:
    """What would show the difference between two cells.

    Attributes:
        gap: The difference to be shown, units of the score.
        seeds: Seeds of each cell; None if more seeds alone are never enough.
        images_factor: Times as many validation images, with the seeds there are.
    """

    gap: float
    seeds: int | None
    images_factor: float


def need_of(spread: Spread, *, equivalence: float, level: float) -> Need:
    """Seeds needed to show a comparison's observed difference, or the smallest one that matters.

    What the images contribute shrinks with more seeds only where each seed has its own split.

    Args:
        spread: The comparison's variance parts, from two seeds or more.
        equivalence: The smallest difference that matters.
        level: Such as 0.95.

    Raises:
        ValueError: With one seed: it contains nothing about other seeds.

    Source:
        Sample size for a t test with power 0.8: Cohen, "Statistical Power Analysis", 1988.
    """
    if spread.n_seeds < 2:
        raise ValueError("one seed contains nothing about how much seeds differ")
    gap = max(abs(spread.value), equivalence)
    stays = max(0.0, spread.items - spread.noise)
    shrinks = max(spread.between, spread.noise) * spread.n_seeds
    enough = None
    for n in range(2, MAX_SEEDS + 1):
        df = max(n - 1, 1)
        reach = float(stats.t.ppf(0.5 + level / 2, df) + stats.t.ppf(POWER, df))
        if reach**2 * (stays + shrinks / n) <= gap**2:
            enough = n
            break
    normal = float(stats.norm.ppf(0.5 + level / 2) + stats.norm.ppf(POWER))
    images = max(spread.items, spread.noise)
    return Need(gap, enough, normal**2 * images / gap**2)


def seeds_for(gap: float, seed_sd: float, *, level: float) -> int:
    """Seeds of each of two cells to find a gap, if only seeds differ, by `seed_sd` in each cell.

    Args:
        gap: Difference to be shown, above 0.
        seed_sd: Standard deviation between seeds, the same units.
        level: Such as 0.95.
    """
    normal = float(stats.norm.ppf(0.5 + level / 2) + stats.norm.ppf(POWER))
    return max(3, math.ceil(2 * (normal * seed_sd / gap) ** 2))
