"""Which cell is best, which are not distinguishable from it, and which of these to take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from frostline.stats.cell import Cell
from frostline.stats.intervals import SeedSummary, share_interval, summarise_seeds
from frostline.stats.paired import (
    Comparison,
    Seeds,
    cell_spread,
    compare_with_top,
    family_pairs,
)
from frostline.stats.rate_choice import choice_doubt
from frostline.stats.rules import Rules
from frostline.stats.variance import Spread, estimate, learn_prior

Standing = Literal["top", "alike", "open", "behind", "worse", "not tested"]
MAY_BE_BEST = ("top", "alike", "open")
_SAME_COST = 1.1  # times vary by a tenth from run to run


@dataclass(frozen=True)
class Row:
    """One cell with all that is concluded about it.

    Attributes:
        cell: The cell.
        seeds: Over seeds alone, from the logged scores on validation.
        interval: Of the validation score, images and seeds together; None without predictions.
        spread: Variance parts of the validation score; None without predictions.
        standing: Relation to the top: `worse` is a claim that holds after correction for all pairs;
            `behind` would be one for a lone pair, which is no proof in a large sweep but enough not
            to recommend it; `open` is not distinguishable; `alike` is too close to matter.
        comparison: With the top; None for the top itself and for cells not tested.
        why: Why it was not tested.
    """

    cell: Cell
    seeds: SeedSummary
    interval: tuple[float, float] | None
    spread: Spread | None
    standing: Standing
    comparison: Comparison | None = None
    why: str = ""

    @property
    def value(self) -> float:
        """Mean validation score of the seeds."""
        return self.seeds.mean


@dataclass(frozen=True)
class Verdict:
    """The leaderboard, the set of the best, and the recommendation.

    Attributes:
        rules: How cells were compared.
        rows: All cells, best on validation first.
        recommended: The cheapest of the candidates.
        family_size: Number of pairs that claims are corrected for.
        scored: Name of a cell to its scored runs on validation, by seed.
    """

    rules: Rules
    rows: Sequence[Row]
    recommended: Row
    family_size: int
    scored: Mapping[str, Seeds] = field(default_factory=dict)

    @property
    def top(self) -> Row:
        """Highest on validation."""
        return self.rows[0]

    @property
    def candidates(self) -> list[Row]:
        """The top and all that are not distinguishable from it or differ too little to matter."""
        return [row for row in self.rows if row.standing in MAY_BE_BEST]

    @property
    def chosen(self) -> list[Row]:
        """The recommended cell, the top and the next candidates: those shown in detail."""
        first = [self.recommended] + ([self.top] if self.recommended is not self.top else [])
        rest = [row for row in self.rows if row not in first and row.interval is not None]
        return (first + rest)[:4]


def rank(cells: Sequence[Cell], rules: Rules) -> list[Cell]:
    """Cells by mean validation score, best first; equal ones by name."""
    return sorted(cells, key=lambda cell: (-cell.mean(rules.metric) + cell.optimism, cell.name))


def reach_verdict(
    cells: Sequence[Cell], by_cell: Mapping[str, Seeds], rules: Rules
) -> Verdict | None:
    """Compare cells with the best of them.

    Args:
        cells: All cells, in any order; each has a score.
        by_cell: Name of a cell to its scored runs on validation, by seed; cells that are missing
            here are not tested.
        rules: How to compare.

    Returns:
        None if there is no cell.
    """
    if not cells:
        return None
    cells = rank(cells, rules)
    top = cells[0]
    spreads = {name: cell_spread(seeds) for name, seeds in by_cell.items()}
    prior = learn_prior(list(spreads.values()))
    comparisons: dict[str, Comparison] = {}
    family_size = family_pairs(len(cells))
    if top.name in by_cell:
        compared = compare_with_top(
            by_cell[top.name],
            {name: seeds for name, seeds in by_cell.items() if name != top.name},
            family_size=family_size,
            level=rules.level,
            equivalence=rules.equivalence,
            # McNemar's test does not know that a rate was chosen.
            is_accuracy=rules.score == "acc_micro" and not any(c.optimism for c in cells),
            doubts={cell.name: choice_doubt(top.optimism, cell.optimism) for cell in cells},
        )
        comparisons = {comparison.name: comparison for comparison in compared}
    rows = []
    for place, cell in enumerate(cells):
        spread = spreads.get(cell.name)
        interval = None
        if spread is not None:
            interval = share_interval(
                estimate(spread, prior, doubt=choice_doubt(cell.optimism)),
                rules.level,
                spread.n_groups,
            )
        comparison = comparisons.get(cell.name)
        standing: Standing = "top"
        why = ""
        if comparison is not None:
            standing = _standing(comparison)
        elif cell is not top:
            standing, why = "not tested", _why_not_tested(cell, place, by_cell, rules, top)
        values = [value - cell.optimism for value in cell.values(rules.metric)]
        seeds = summarise_seeds(values, rules.level)
        rows.append(Row(cell, seeds, interval, spread, standing, comparison, why))
    candidates = [row for row in rows if row.standing in MAY_BE_BEST]
    return Verdict(rules, tuple(rows), cheapest(candidates), family_size)


def cheapest(rows: Sequence[Row]) -> Row:
    """The row with the shortest training; among about equals (10 %) the best on validation.

    Tuning counts as training. Where a training time is missing, trainable parameters decide.
    """
    costs = [row.cell.run_s for row in rows]
    if not np.all(np.isfinite(costs)):
        costs = [row.cell.number("trainable_params") for row in rows]
    if not np.all(np.isfinite(costs)):
        return rows[0]
    affordable = [
        row for row, cost in zip(rows, costs, strict=True) if cost <= min(costs) * _SAME_COST
    ]
    return max(affordable, key=lambda row: row.value)


def _standing(comparison: Comparison) -> Standing:
    if comparison.relation == "open" and comparison.interval[1] < 0:
        return "behind"
    # Better than the top on the seeds that both have: then which of them is the top is open.
    return "open" if comparison.relation == "better" else comparison.relation


def _why_not_tested(
    cell: Cell, place: int, by_cell: Mapping[str, Seeds], rules: Rules, top: Cell
) -> str:
    if place >= rules.max_tested:
        return f"only the first {rules.max_tested} are tested one by one"
    if cell.name not in by_cell:
        return "no predictions on validation"
    if top.name not in by_cell:
        return "the top has no predictions on validation"
    return "no seed with the same validation images as the top"
