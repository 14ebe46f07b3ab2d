"""Main effects and interactions of what was swept: by how many points does each value move scores?

An additive model of the cells' means (one effect a value of each factor), by least squares, so that
an unbalanced sweep does not credit one factor with another's work.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from frostline.stats.cell import value_order

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Effect:
    """One value of one factor.

    Attributes:
        factor: Parameter.
        level: Its value.
        n_cells: Cells with it.
        effect: Its effect against the mean of the factor's values, units of the score.
        low: Lower end of the interval; NaN where no cell is left to estimate the error with.
        high: Upper end.
    """

    factor: str
    level: str
    n_cells: int
    effect: float
    low: float
    high: float


@dataclass(frozen=True)
class Interaction:
    """Two factors: what their combinations explain beyond the sum of their effects.

    Attributes:
        first: Parameter.
        second: Parameter.
        explained: Share of what the additive model leaves unexplained, 0 to 1.
        p: F test of the interaction; NaN where every combination is one cell.
    """

    first: str
    second: str
    explained: float
    p: float


def main_effects(
    params: Sequence[Mapping[str, str]],
    values: Sequence[float],
    factors: Sequence[str],
    level: float,
) -> list[Effect]:
    """Effects of the factors' values, largest range of a factor first.

    Args:
        params: Of each cell.
        values: Mean score of each cell.
        factors: Parameters that differ.
        level: Of the intervals.
    """
    y = np.asarray(values, dtype=np.float64)
    levels = {factor: _levels(params, factor) for factor in factors}
    design = _additive(params, levels)
    inverse = np.linalg.pinv(design.T @ design)
    coefficients = inverse @ design.T @ y
    left_df = len(y) - int(np.linalg.matrix_rank(design))
    residual = float(((y - design @ coefficients) ** 2).sum())
    quantile = float(stats.t.ppf(0.5 + level / 2, left_df)) if left_df > 0 else float("nan")
    error = residual / left_df if left_df > 0 else float("nan")
    by_factor: dict[str, list[Effect]] = {}
    start = 1
    for factor, names in levels.items():
        contrast = _contrast(design.shape[1], start, len(names))
        start += len(names) - 1
        effects = contrast @ coefficients
        spread = quantile * np.sqrt(np.maximum(error * np.diag(contrast @ inverse @ contrast.T), 0))
        counts = [sum(p.get(factor) == name for p in params) for name in names]
        by_factor[factor] = [
            Effect(factor, name, count, float(e), float(e - half), float(e + half))
            for name, count, e, half in zip(names, counts, effects, spread, strict=True)
        ]
    ranked = sorted(by_factor.values(), key=lambda group: -np.ptp([one.effect for one in group]))
    return [one for group in ranked for one in group]


def interactions(
    params: Sequence[Mapping[str, str]], values: Sequence[float], factors: Sequence[str]
) -> list[Interaction]:
    """All pairs of factors, the strongest interaction first; pairs with no overlap are left out."""
    y = np.asarray(values, dtype=np.float64)
    levels = {factor: _levels(params, factor) for factor in factors}
    additive = _additive(params, levels)
    residual, rank = _residual(additive, y)
    pairs = []
    for first, second in itertools.combinations(factors, 2):
        columns = [
            np.array([p.get(first) == a and p.get(second) == b for p in params], dtype=np.float64)
            for a, b in itertools.product(levels[first][1:], levels[second][1:])
        ]
        full = np.column_stack([additive, *columns])
        full_residual, full_rank = _residual(full, y)
        if full_rank == rank or residual <= 1e-15:
            continue
        explained = 1 - full_residual / residual
        left_df = len(y) - full_rank
        p = float("nan")
        if left_df > 0 and full_residual > 0:
            f = (residual - full_residual) / (full_rank - rank) / (full_residual / left_df)
            p = float(stats.f.sf(f, full_rank - rank, left_df))
        pairs.append(Interaction(first, second, float(explained), p))
    return sorted(pairs, key=lambda one: -one.explained)


def _levels(params: Sequence[Mapping[str, str]], factor: str) -> list[str]:
    return sorted({p.get(factor, "-") for p in params}, key=value_order)


def _additive(params: Sequence[Mapping[str, str]], levels: Mapping[str, list[str]]) -> Floats:
    """One column for the first values of all factors, then one for each further value."""
    columns = [np.ones(len(params))]
    for factor, names in levels.items():
        columns += [
            np.array([float(p.get(factor, "-") == name) for p in params]) for name in names[1:]
        ]
    return np.column_stack(columns)


def _contrast(n_columns: int, start: int, n_levels: int) -> Floats:
    """From coefficients to the values' effects around their mean."""
    pick = np.zeros((n_levels, n_columns))
    for place in range(1, n_levels):
        pick[place, start + place - 1] = 1
    return np.asarray(pick - pick.mean(axis=0), dtype=np.float64)


def _residual(design: Floats, y: Floats) -> tuple[float, int]:
    coefficients, _, rank, _ = np.linalg.lstsq(design, y, rcond=None)
    return float(((y - design @ coefficients) ** 2).sum()), int(rank)
