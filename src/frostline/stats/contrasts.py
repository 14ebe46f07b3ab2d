"""Weighted sums of cells' scores with one correction for all of them: effects and interactions.

A contrast is a weight for each cell, such as +1/4 for the cells of one backbone and -1/12 for the
others. Its value is computed seed by seed, on the images that all cells share, so what all cells
have in common cancels, and what the cells of one backbone have in common does not: cells are not
taken for independent observations. Its variance has a part from groups of images and one from the
seeds, as that of a difference of two cells (`frostline.stats.variance`), and one from rates that
were chosen.

Many contrasts read together are corrected together. Their errors are correlated, which Bonferroni's
correction ignores (it takes the two values of one factor for two findings), so the smallest p-value
of a family is compared with its distribution under errors that are correlated as these.

Source:
    Scheffe, "The Analysis of Variance", 1959 (contrasts); Westfall and Young, "Resampling-Based
    Multiple Testing", 1993, section 2.3 (smallest p-value); Hothorn, Bretz and Westfall, Biom. J.
    2008 (simultaneous intervals). Coverage as measured: docs/report.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from frostline.stats.intervals import Estimate
from frostline.stats.paired import Seeds, mean_overlap
from frostline.stats.rate_choice import choice_doubt
from frostline.stats.variance import (
    Prior,
    Spread,
    estimate,
    learn_prior,
    pulls_of,
    spread_of_pulls,
)

Floats = NDArray[np.float64]
_DRAWS = 10_000
_SEED = 0


@dataclass(frozen=True)
class Lineup:
    """Cells on the seeds and images that all of them share.

    Attributes:
        values: `(C, S)` scores.
        pulls: `(C, S, G)` what each group adds to them.
        optimism: `(C,)` what was taken off for a chosen rate.
        n_items: Different images.
        overlap: See `spread_of_pulls`.
    """

    values: Floats
    pulls: Floats
    optimism: Floats
    n_items: int
    overlap: float = 0.0

    @property
    def n_seeds(self) -> int:
        """S."""
        return int(self.values.shape[1])


@dataclass(frozen=True)
class Contrast:
    """One weighted sum of cells.

    Attributes:
        estimate: Its value and error, for an interval of its own.
        low: Lower end of its interval, corrected for the whole family.
        high: Upper end.
        p: p-value of 'it is 0', corrected for the whole family.
    """

    estimate: Estimate
    low: float
    high: float
    p: float


def line_up(cells: Sequence[Seeds], optimism: Sequence[float]) -> Lineup | None:
    """Put cells side by side.

    Args:
        cells: Scored runs by seed, one mapping a cell.
        optimism: Of each cell.

    Returns:
        None if there is no cell, or no seed that all cells have on the same images.
    """
    if not cells:
        return None
    first, *rest = cells
    shared = [
        seed
        for seed in first
        if all(seed in c and np.array_equal(c[seed].items, first[seed].items) for c in rest)
    ]
    if not shared:
        return None
    groups = [first[seed].groups for seed in shared]
    pulls = np.stack(
        [pulls_of([cell[seed].influence for seed in shared], groups) for cell in cells]
    )
    values = np.array([[cell[seed].value for seed in shared] for cell in cells])
    n_items = len(np.unique(np.concatenate([first[seed].items for seed in shared])))
    overlap = mean_overlap(cell[seed] for cell in cells for seed in shared)
    return Lineup(values, pulls, np.asarray(optimism, np.float64), n_items, overlap)


def contrasts(lineup: Lineup, weights: Floats, *, alpha: float) -> list[Contrast]:
    """All contrasts of a family.

    With one seed they hold for the trained models on other images, and say nothing of other seeds.

    Args:
        lineup: C cells.
        weights: `(K, C)`, K >= 1; each row sums to 0.
        alpha: Chance that any of the corrected intervals misses the truth.
    """
    prior = _prior(lineup)
    doubts = choice_doubt(1.0) * weights**2 @ lineup.optimism**2
    spreads = [_spread(lineup, row) for row in weights]
    plain, cautious = [], []
    for row, spread, doubt in zip(weights, spreads, doubts, strict=True):
        floor = _floor(row, spread, lineup)
        plain.append(estimate(spread, prior, floor=floor, doubt=doubt))
        cautious.append(estimate(spread, prior, floor=floor, doubt=doubt, for_claim=True))
    largest = _largest_z(_correlation(lineup, weights, spreads))
    z = float(np.quantile(largest, 1 - alpha))
    alone = max(2 * float(stats.norm.sf(z)), alpha / len(weights))
    found = []
    for own, claim in zip(plain, cautious, strict=True):
        low, high = claim.interval(1 - alone)
        z_own = stats.norm.isf(claim.p_value / 2)
        beaten = (1 + int((largest >= z_own).sum())) / (1 + len(largest))
        # Draws cannot resolve the far tail; Bonferroni's correction holds there as everywhere.
        found.append(Contrast(own, low, high, min(1.0, beaten, claim.p_value * len(weights))))
    return found


def _spread(lineup: Lineup, weights: Floats) -> Spread:
    pulls = np.tensordot(weights, lineup.pulls, axes=1)
    return spread_of_pulls(weights @ lineup.values, pulls, lineup.overlap)


def _prior(lineup: Lineup) -> Prior:
    """How much seeds add, from each cell against the mean of those before it.

    These are independent of each other: two cells say as much about seeds as one difference.
    """
    n_cells = len(lineup.values)
    before = np.tril(np.ones((n_cells, n_cells)), -1)
    before /= np.maximum(before.sum(axis=1, keepdims=True), 1)
    return learn_prior([_spread(lineup, row) for row in (np.eye(n_cells) - before)[1:]])


def _floor(weights: Floats, spread: Spread, lineup: Lineup) -> float:
    """As for a pair of cells (`frostline.stats.paired`), whose squared weights sum to 2."""
    squared = float((weights**2).sum())
    if spread.items > 0:
        return squared / 2 / (lineup.n_items + 2) ** 2
    return squared / (spread.n_groups + 2) ** 2


def _correlation(lineup: Lineup, weights: Floats, spreads: Sequence[Spread]) -> Floats:
    """Of the contrasts' errors: groups as observed, seeds as if they moved all cells alike."""
    means = np.tensordot(weights, lineup.pulls.mean(axis=1), axes=1)
    covariance = means @ means.T
    squared = (weights**2).sum(axis=1)
    excess = [
        max(0.0, spread.between - spread.noise) / size
        for spread, size in zip(spreads, squared, strict=True)
        if np.isfinite(spread.between) and size > 0
    ]
    covariance += (float(np.mean(excess)) if excess else 0.0) * weights @ weights.T
    covariance += 1e-12 * np.eye(len(weights))
    sd = np.sqrt(np.diag(covariance))
    return np.asarray(covariance / np.outer(sd, sd), dtype=np.float64)


def _largest_z(correlation: Floats) -> Floats:
    """Draws of the largest of correlated standard normal values, `(R,)`."""
    values, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    drawn = np.random.default_rng(_SEED).normal(size=(_DRAWS, len(correlation)))
    return np.asarray(np.abs(drawn @ root.T).max(axis=1), dtype=np.float64)
