"""Main effects and interactions of what was swept: by how many points does each value move scores?

An additive model of the cells' means (one effect a value of each factor), by least squares, so that
an unbalanced sweep does not credit one factor with another's work. An effect is then a weighted sum
of the cells' scores; how far it may be off comes from the images and the seeds
(`frostline.stats.contrasts`), not from what the model leaves unexplained: cells that share a
backbone share its taste for images, and are no independent observations of anything.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostline.stats.cell import value_order
from frostline.stats.contrasts import Contrast, Lineup, contrasts
from frostline.stats.intervals import Estimate, holm

Floats = NDArray[np.float64]
# A page claims in three families: differences from the top, effects, interactions. What each may
# spend of a look's alpha, so that together they are wrong in under 5 % of sweeps.
SHARE_OF_EFFECTS, SHARE_OF_INTERACTIONS = 0.5, 0.25
_NO_WEIGHT = 1e-9


@dataclass(frozen=True)
class Effect:
    """One value of one factor.

    Attributes:
        factor: Parameter.
        level: Its value.
        n_cells: Cells with it.
        effect: Its effect against the mean of the factor's values, units of the score.
        low: Lower end of the interval, corrected for all values of all factors; NaN where nothing
            says how far scores may be off.
        high: Upper end.
        p: p-value of 'no effect', corrected likewise; NaN as above.
        own: With its own error, not corrected; None as above.
    """

    factor: str
    level: str
    n_cells: int
    effect: float
    low: float = float("nan")
    high: float = float("nan")
    p: float = float("nan")
    own: Estimate | None = None


@dataclass(frozen=True)
class Interaction:
    """Two factors: whether a combination of them does more or less than their effects add up to.

    Attributes:
        first: Parameter.
        second: Parameter.
        explained: Share of what the additive model leaves unexplained, 0 to 1.
        p: p-value of 'every combination is the sum of the effects', corrected for all combinations
            and, by Holm, for all pairs of factors; NaN where nothing says how far scores are off.
        shown: Whether it may be claimed.
        where: Values of first and second where scores are furthest from the sum.
        off: By how much, units of the score.
    """

    first: str
    second: str
    explained: float
    p: float
    shown: bool
    where: tuple[str, str]
    off: float


def main_effects(
    params: Sequence[Mapping[str, str]],
    values: Sequence[float],
    factors: Sequence[str],
    alpha: float,
    lineup: Lineup | None,
) -> list[Effect]:
    """Effects of the factors' values, largest range of a factor first.

    Args:
        params: Of each cell.
        values: Mean score of each cell.
        factors: Parameters that differ.
        alpha: What this look may spend on false claims.
        lineup: The same cells on the images and seeds that they share; the effects are then those
            on these. None if they share none, or if their predictions are missing.
    """
    levels = {factor: _levels(params, factor) for factor in factors}
    design = _additive(params, levels)
    solve = np.linalg.pinv(design)
    blocks, start = [], 1
    for names in levels.values():
        blocks.append(_contrast(design.shape[1], start, len(names)) @ solve)
        start += len(names) - 1
    weights = np.concatenate(blocks)
    y = np.asarray(values, dtype=np.float64) if lineup is None else lineup.values.mean(axis=1)
    places = [(factor, name) for factor, names in levels.items() for name in names]
    found: Sequence[Contrast | None] = [None] * len(places)
    if lineup is not None:
        found = contrasts(lineup, weights, alpha=SHARE_OF_EFFECTS * alpha)
    by_factor: dict[str, list[Effect]] = {factor: [] for factor in factors}
    for (factor, name), value, one in zip(places, weights @ y, found, strict=True):
        count = sum(p.get(factor, "-") == name for p in params)
        effect = Effect(factor, name, count, float(value))
        if one is not None:
            effect = Effect(
                factor, name, count, float(value), one.low, one.high, one.p, one.estimate
            )
        by_factor[factor].append(effect)
    ranked = sorted(by_factor.values(), key=lambda group: -np.ptp([one.effect for one in group]))
    return [one for group in ranked for one in group]


def interactions(
    params: Sequence[Mapping[str, str]],
    values: Sequence[float],
    factors: Sequence[str],
    alpha: float,
    lineup: Lineup | None,
) -> list[Interaction]:
    """All pairs of factors that vary together, the one that explains most first.

    Args:
        params: Of each cell.
        values: Mean score of each cell.
        factors: Parameters that differ.
        alpha: What this look may spend on false claims.
        lineup: See `main_effects`.
    """
    y = np.asarray(values, dtype=np.float64) if lineup is None else lineup.values.mean(axis=1)
    levels = {factor: _levels(params, factor) for factor in factors}
    additive = _additive(params, levels)
    left = _off_plane(additive, y)
    alpha = SHARE_OF_INTERACTIONS * alpha
    pairs = []
    for first, second in itertools.combinations(factors, 2):
        columns, combinations = _combinations(params, first, second)
        full = np.column_stack([additive, columns[:, 1:]])
        beyond = full @ np.linalg.pinv(full) - additive @ np.linalg.pinv(additive)
        weights = columns.T @ beyond / columns.sum(axis=0)[:, None]
        able = np.abs(weights).max(axis=1) > _NO_WEIGHT
        if not able.any():
            continue
        weights, names = weights[able], [c for c, ok in zip(combinations, able, strict=True) if ok]
        off = weights @ y
        explained = 1 - _off_plane(full, y) / left if left > 1e-15 else 0.0
        p = float("nan")
        furthest = int(np.abs(off).argmax())
        if lineup is not None:
            tested = contrasts(lineup, weights, alpha=alpha)
            furthest = int(np.argmin([one.p for one in tested]))
            p = tested[furthest].p
        pairs.append((first, second, float(explained), p, names[furthest], float(off[furthest])))
    tested_pairs = [pair for pair in pairs if np.isfinite(pair[3])]
    adjusted = iter(holm([pair[3] for pair in tested_pairs]))
    found = []
    for first, second, explained, p, where, value in pairs:
        p = float(next(adjusted)) if np.isfinite(p) else p
        found.append(Interaction(first, second, explained, p, p < alpha, where, value))
    return sorted(found, key=lambda one: -one.explained)


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


def _combinations(
    params: Sequence[Mapping[str, str]], first: str, second: str
) -> tuple[Floats, list[tuple[str, str]]]:
    """Which cells have which values of two factors, `(C, combinations)`, and these values."""
    own = [(p.get(first, "-"), p.get(second, "-")) for p in params]
    names = list(dict.fromkeys(own))
    return np.array([[float(one == name) for name in names] for one in own]), names


def _contrast(n_columns: int, start: int, n_levels: int) -> Floats:
    """From coefficients to the values' effects around their mean."""
    pick = np.zeros((n_levels, n_columns))
    for place in range(1, n_levels):
        pick[place, start + place - 1] = 1
    return np.asarray(pick - pick.mean(axis=0), dtype=np.float64)


def _off_plane(design: Floats, y: Floats) -> float:
    """Sum of squares that a design leaves of y."""
    return float(((y - design @ (np.linalg.pinv(design) @ y)) ** 2).sum())
