"""Which cell to take: the cheapest of about the smallest expected loss; and what is proven."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from frostline.stats.cell import Cell
from frostline.stats.expected_loss import (
    chance_best,
    cheapest_within,
    expected_loss,
    posterior_draws,
)
from frostline.stats.intervals import SeedSummary, share_interval, summarise_seeds
from frostline.stats.joint_error import JointError, joint_error
from frostline.stats.lone_classes import lone_share
from frostline.stats.looks import alpha_of_look
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
from frostline.stats.winner import winner_reach

Standing = Literal[
    "top", "alike", "open", "behind", "worse", "one seed", "lone class", "not tested"
]
SAME_COST = 1.1  # times vary by a tenth from run to run


@dataclass(frozen=True)
class Row:
    """One cell with all that is concluded about it.

    Attributes:
        cell: The cell.
        seeds: Over seeds alone, from the logged scores on validation.
        interval: Of the validation score, images and seeds together; that of the top is corrected
            for its having been picked. None without predictions.
        spread: Variance parts of the validation score; None without predictions.
        standing: Relation to the top: `worse` is a claim that holds after correction for all pairs
            and looks; `behind` would be one for a lone pair, which is no proof in a large sweep;
            `open` is not distinguishable; `alike` is too close to matter; `one seed` compares two
            trained models, and no configurations; `lone class` would be a claim, but classes whose
            validation images are one group could make up the difference.
        comparison: With the top; None for the top itself and for cells not tested.
        why: Why it was not tested.
        loss: Expected loss, units of the score; None without predictions.
        chance: Of being the best cell, 0 to 1; None without predictions.
    """

    cell: Cell
    seeds: SeedSummary
    interval: tuple[float, float] | None
    spread: Spread | None
    standing: Standing
    comparison: Comparison | None = None
    why: str = ""
    loss: float | None = None
    chance: float | None = None

    @property
    def value(self) -> float:
        """Mean validation score of the seeds."""
        return self.seeds.mean


@dataclass(frozen=True)
class Verdict:
    """The leaderboard, what is proven, and the recommendation.

    Attributes:
        rules: How cells were compared.
        rows: All cells, best on validation first.
        recommended: The cheapest of the candidates.
        family_size: Number of pairs that claims are corrected for.
        scored: Name of a cell to its scored runs on validation, by seed.
        look: Number of this look at growing results, from 1; claims are corrected for it.
        error: Scores with their joint error; None where no cell has predictions.
    """

    rules: Rules
    rows: Sequence[Row]
    recommended: Row
    family_size: int
    scored: Mapping[str, Seeds] = field(default_factory=dict)
    look: int = 1
    error: JointError | None = None

    @property
    def top(self) -> Row:
        """Highest on validation."""
        return self.rows[0]

    @property
    def likeliest(self) -> Row:
        """The smallest expected loss; the top where there is none."""
        able = [row for row in self.rows if row.loss is not None]
        return min(able, key=lambda row: row.loss or 0.0) if able else self.top

    @property
    def candidates(self) -> list[Row]:
        """Rows whose expected loss is within the tolerance of the smallest one."""
        return within_tolerance(self.rows, self.rules.tolerance) or [self.top]

    @property
    def is_of_models(self) -> bool:
        """Whether every cell has one seed: then all holds for these trained models alone."""
        return all(len(row.cell.run_ids) == 1 for row in self.rows)

    @property
    def chosen(self) -> list[Row]:
        """The recommended cell, the top and the next best: those shown in detail."""
        first = [self.recommended] + ([self.top] if self.recommended is not self.top else [])
        rest = [row for row in self.rows if row not in first and row.interval is not None]
        return (first + rest)[:4]


def rank(cells: Sequence[Cell], rules: Rules) -> list[Cell]:
    """Cells by mean validation score, best first; equal ones by name."""
    return sorted(cells, key=lambda cell: (-cell.mean(rules.metric) + cell.optimism, cell.name))


def reach_verdict(
    cells: Sequence[Cell], by_cell: Mapping[str, Seeds], rules: Rules, look: int = 1
) -> Verdict | None:
    """Compare cells with the best of them.

    Args:
        cells: All cells, in any order; each has a score.
        by_cell: Name of a cell to its scored runs on validation, by seed; cells that are missing
            here are not tested.
        rules: How to compare.
        look: Number of this look at growing results, from 1.

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
            alpha=alpha_of_look(rules.level, look),
        )
        comparisons = {comparison.name: comparison for comparison in compared}
    error = joint_error(by_cell, {c.name: c.optimism for c in cells}) if by_cell else None
    losses, chances = _losses(error)
    rows = []
    for place, cell in enumerate(cells):
        spread = spreads.get(cell.name)
        interval = None
        if spread is not None:
            own = estimate(spread, prior, doubt=choice_doubt(cell.optimism))
            reach = _reach_of_top(error, cell.name, own.df, rules.level) if cell is top else None
            interval = share_interval(own, rules.level, spread.n_groups, reach)
        comparison = comparisons.get(cell.name)
        standing: Standing = "top"
        why = ""
        if comparison is not None:
            standing = _standing(comparison, lone_share(by_cell[cell.name], by_cell[top.name]))
        elif cell is not top:
            standing, why = "not tested", _why_not_tested(cell, place, by_cell, rules, top)
        values = [value - cell.optimism for value in cell.values(rules.metric)]
        seeds = summarise_seeds(values, rules.level)
        loss, chance = losses.get(cell.name), chances.get(cell.name)
        rows.append(Row(cell, seeds, interval, spread, standing, comparison, why, loss, chance))
    recommended = cheapest(rows, rules.tolerance)
    return Verdict(
        rules, tuple(rows), recommended, family_size, scored=by_cell, look=look, error=error
    )


def _reach_of_top(
    error: JointError | None, top: str, df: float, level: float
) -> tuple[float, float] | None:
    """How far the top's interval reaches down and up, as it was picked for its score."""
    if error is None or top not in error.names:
        return None
    place = error.names.index(top)
    return winner_reach(error.means, error.covariance, place, df=df, level=level)


def cheapest(rows: Sequence[Row], tolerance: float) -> Row:
    """The cheapest row whose expected loss is within the tolerance of the smallest one.

    Costs are what a cell takes when it is trained alone, tuning included; where a time is missing,
    trainable parameters. Among about equals (10 %) that of smaller loss. Without any expected loss,
    or without costs, the first.

    Args:
        rows: The best on validation first.
        tolerance: Units of the score.
    """
    able = [row for row in rows if row.loss is not None]
    if not able:
        return rows[0]
    losses = [row.loss or 0.0 for row in able]
    costs = [row.cell.alone_s for row in able]
    if not np.all(np.isfinite(costs)):
        costs = [row.cell.number("trainable_params") for row in able]
    if not np.all(np.isfinite(costs)):
        costs = [0.0] * len(able)
    return able[cheapest_within(losses, costs, tolerance, same_cost=SAME_COST)]


def within_tolerance(rows: Sequence[Row], tolerance: float) -> list[Row]:
    """Rows whose expected loss is at most `tolerance` above the smallest one."""
    able = [row for row in rows if row.loss is not None]
    smallest = min((row.loss or 0.0 for row in able), default=0.0)
    return [row for row in able if (row.loss or 0.0) <= smallest + tolerance + 1e-12]


def _losses(error: JointError | None) -> tuple[dict[str, float], dict[str, float]]:
    """Name to expected loss, and to the chance of being the best."""
    if error is None:
        return {}, {}
    draws = posterior_draws(error.means, error.covariance)
    losses, chances = expected_loss(draws).tolist(), chance_best(draws).tolist()
    return (
        dict(zip(error.names, losses, strict=True)),
        dict(zip(error.names, chances, strict=True)),
    )


def _standing(comparison: Comparison, lone: float) -> Standing:
    """What may be said of a cell.

    Args:
        comparison: With the top.
        lone: Share of the score that hangs on classes of one group of images.
    """
    if comparison.is_of_models:
        return "one seed"
    if comparison.relation in {"worse", "alike"} and lone >= abs(comparison.difference.value) > 0:
        return "lone class"
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
