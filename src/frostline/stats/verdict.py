"""Which cell to take: the cheapest of about the smallest expected loss; and what is proven."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from frostline.stats.cell import Cell
from frostline.stats.expected_loss import (
    chance_best,
    expected_loss,
    posterior_draws,
)
from frostline.stats.intervals import share_interval, summarise_seeds
from frostline.stats.joint_error import JointError, joint_error
from frostline.stats.judged_cell import Row, Standing, cheapest, within_tolerance
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
from frostline.stats.variance import estimate, learn_prior
from frostline.stats.winner import winner_reach


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
    cells: Sequence[Cell],
    by_cell: Mapping[str, Seeds],
    rules: Rules,
    look: int = 1,
    *,
    entered: int = 0,
) -> Verdict | None:
    """Compare cells with the best of them.

    Args:
        cells: All cells, in any order; each has a score.
        by_cell: Name of a cell to its scored runs on validation, by seed; cells that are missing
            here are not tested.
        rules: How to compare.
        look: Number of this look at growing results, from 1.
        entered: Cells that were looked at in all, where a race dropped some: claims are corrected
            for the pairs of these.

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
    family_size = family_pairs(max(len(cells), entered))
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
