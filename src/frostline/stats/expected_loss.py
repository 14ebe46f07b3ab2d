"""How much is lost, on average, if a cell is taken and another one is the best.

The observed scores are the true ones plus an error whose covariance is known
(`frostline.stats.joint_error`). The true ones are taken to lie around a common mean, normally, with
a standard deviation tau that the sweep itself shows, as far as it can: all values of tau are
averaged by how well they explain the scores. So, where errors are large beside the differences, all
scores move towards each other, and the luck of the highest is taken off; where the differences are
clear, they stay as they are.

How well a tau explains the scores is judged as if all cells erred alike. By their own errors, a few
cells near 100 %, which are known nearly exactly, would say alone how far cells differ, and where
they lie close together would lift one that is clearly lower, and with it all that err on the same
images as that one.

The expected loss of a cell is the mean, over that posterior, of how far it lies below the best
cell. Two cells' losses differ by their posterior means, so a cell is recommended for what it is
likely to be worth, not for being hard to distinguish from the best.

Why a posterior, and not a bootstrap over groups and seeds? Two or three seeds resampled have a
third to half of their variance missing, and a bootstrap does not take off the luck of the highest.

Source:
    Gelman, Bayesian Anal. 2006 (the hierarchical normal model, and the half-Cauchy for tau);
    Chick and Inoue, Oper. Res. 2001 (expected opportunity cost of a selection).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
DRAWS = 4000
# Half of all tau lie below this: configurations usually differ by some points up to some tens.
_USUAL_TAU = 0.1
_GRID = 40
_SEED = 0


def posterior_draws(means: Floats, covariance: Floats, *, draws: int = DRAWS) -> Floats:
    """Draw the true scores of C cells, given the observed ones.

    Args:
        means: `(C,)` observed mean scores, shares of 1.
        covariance: `(C, C)` of their errors, symmetric and positive semi-definite.
        draws: How many; about this number is drawn. The same arguments give the same draws.

    Returns:
        `(C, D)` float64: D joint draws of the C true scores.

    Raises:
        ValueError: If shapes do not fit, or a number is not finite.
    """
    means, covariance = np.asarray(means, np.float64), np.asarray(covariance, np.float64)
    n_cells = len(means)
    if covariance.shape != (n_cells, n_cells):
        raise ValueError(f"covariance {covariance.shape} for {n_cells} cells")
    if not (np.isfinite(means).all() and np.isfinite(covariance).all()):
        raise ValueError("scores and their covariance must be finite")
    rng = np.random.default_rng(_SEED)
    values, vectors = np.linalg.eigh(covariance)
    values = np.maximum(values, 0.0)
    y, ones = vectors.T @ means, vectors.sum(axis=0)
    taus, weight = _weighted_taus(means, covariance)
    precision = 1 / (values + taus[:, None] ** 2)
    of_mean = (precision * ones**2).sum(axis=1)
    left = y - ((precision * ones * y).sum(axis=1) / of_mean)[:, None] * ones
    parts = []
    for place, count in enumerate(_allotted(weight, draws // 2)):
        if count:
            shrink = values * precision[place]
            mean = y - shrink * left[place]
            spread = np.sqrt(shrink) * taus[place] * rng.normal(size=(count, n_cells))
            around = rng.normal(size=(count, 1)) / np.sqrt(of_mean[place]) * shrink * ones
            # Each draw and its mirror image: means are exact, as far as the grid is.
            parts += [mean + spread + around, mean - spread - around]
    return np.asarray(vectors @ np.concatenate(parts).T, dtype=np.float64)


def likely_spread(means: Floats, covariance: Floats) -> float:
    """The mean of tau: how far the true scores are likely to lie from each other.

    Args:
        means: `(C,)` observed mean scores.
        covariance: `(C, C)` of their errors.
    """
    taus, weight = _weighted_taus(np.asarray(means, np.float64), np.asarray(covariance, np.float64))
    return float(taus @ weight)


def expected_loss(draws: Floats) -> Floats:
    """Mean distance of each cell below the best one of each draw.

    Args:
        draws: `(C, D)` joint draws of true scores, from `posterior_draws` or elsewhere.

    Returns:
        `(C,)`, 0 or more, units of the scores.
    """
    draws = np.asarray(draws, np.float64)
    return np.asarray((draws.max(axis=0) - draws).mean(axis=1), dtype=np.float64)


def chance_best(draws: Floats) -> Floats:
    """Share of draws in which each cell is the best; equal ones share a draw.

    Args:
        draws: `(C, D)`.

    Returns:
        `(C,)`, sums to 1.
    """
    draws = np.asarray(draws, np.float64)
    best = draws >= draws.max(axis=0) - 1e-12
    return np.asarray((best / best.sum(axis=0)).mean(axis=1), dtype=np.float64)


def cheapest_within(
    losses: Sequence[float], costs: Sequence[float], tolerance: float, *, same_cost: float
) -> int:
    """Place of the cheapest cell whose loss is at most `tolerance` above the smallest.

    Args:
        losses: Expected losses, `(C,)`.
        costs: Costs, `(C,)`, above 0; all of them finite.
        tolerance: In units of the losses.
        same_cost: Factor within which costs count as equal; of such cells the one of smallest loss.
    """
    limit = min(losses) + tolerance
    able = [place for place, loss in enumerate(losses) if loss <= limit + 1e-12]
    least = min(costs[place] for place in able)
    about = [place for place in able if costs[place] <= least * same_cost]
    return min(about, key=lambda place: (losses[place], costs[place]))


def _weighted_taus(means: Floats, covariance: Floats) -> tuple[Floats, Floats]:
    """Values of tau, equally likely beforehand, and how likely each is given the scores.

    Args:
        means: `(C,)` observed scores.
        covariance: `(C, C)` of their errors, of which only the mean variance and the mean
            covariance count.
    """
    n_cells = len(means)
    taus = _USUAL_TAU * np.tan((np.arange(_GRID) + 0.5) / _GRID * np.pi / 2)
    own = np.trace(covariance) / n_cells
    shared = (covariance.sum() - np.trace(covariance)) / max(n_cells * (n_cells - 1), 1)
    variance = max(float(own - shared), 0.0) + taus**2
    squares = float(((means - means.mean()) ** 2).sum())
    log_weight = -0.5 * ((n_cells - 1) * np.log(variance) + squares / variance)
    weight = np.exp(log_weight - log_weight.max())
    return taus, weight / weight.sum()


def _allotted(weights: Floats, total: int) -> list[int]:
    """Whole numbers in proportion to weights, `total` in all."""
    ends = np.round(np.cumsum(weights) * total).astype(np.int64)
    return [int(count) for count in np.diff(ends, prepend=0)]
