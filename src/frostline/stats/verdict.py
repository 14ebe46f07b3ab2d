"""Who is best, who cannot be told apart from it, and which of these to take."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from frostline.stats.cells import Cell, Selection
from frostline.stats.intervals import SeedSummary, share_interval, summarise_seeds
from frostline.stats.paired import (
    Comparison,
    Scored,
    cell_spread,
    compare_with_top,
    family_pairs,
    scored,
)
from frostline.stats.variance import Spread, estimate, learn_prior
from frostline.tracking.run_contents import Source

Standing = Literal["top", "alike", "open", "behind", "worse", "not tested"]
MAY_BE_BEST = ("top", "alike", "open")
TRAIN_S = "time/train_s"
_SAME_COST = 1.1  # times vary by a tenth from run to run


@dataclass(frozen=True)
class Rules:
    """How to judge; the defaults stand in the command line of src.report.

    Attributes:
        score: One of `SCORES`.
        level: Confidence, such as 0.95.
        equivalence: Differences up to this do not matter, as a share of 1.
        max_tested: At most this many cells, best first, have their predictions read.
    """

    score: str
    level: float
    equivalence: float
    max_tested: int


@dataclass(frozen=True)
class Row:
    """One cell with all that is said about it.

    Attributes:
        cell: The cell.
        seeds: Over seeds alone, from the logged scores on validation.
        interval: Of the validation score, images and seeds together; None without predictions.
        spread: Variance parts of the validation score; None without predictions.
        standing: Relation to the top: `worse` is a claim that holds after correction for all pairs;
            `behind` would be one for a lone pair, which is no proof in a large sweep but enough not
            to recommend it; `open` cannot be told apart; `alike` is too close to matter.
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
        rules: How it was judged.
        rows: All cells, best on validation first.
        recommended: The cheapest of the candidates.
        family_size: Number of pairs that claims are corrected for.
    """

    rules: Rules
    rows: Sequence[Row]
    recommended: Row
    family_size: int

    @property
    def top(self) -> Row:
        """Highest on validation."""
        return self.rows[0]

    @property
    def candidates(self) -> list[Row]:
        """The top and all that cannot be told apart from it, or differ too little to matter."""
        return [row for row in self.rows if row.standing in MAY_BE_BEST]

    @property
    def chosen(self) -> list[Row]:
        """The recommended cell, the top and the next candidates: those looked at closely."""
        first = [self.recommended] + ([self.top] if self.recommended is not self.top else [])
        rest = [row for row in self.rows if row not in first and row.interval is not None]
        return (first + rest)[:4]


def judge(selection: Selection, source: Source, rules: Rules) -> Verdict | None:
    """Judge the cells of a selection.

    Returns:
        None if there is no cell.
    """
    metric = f"val_best/{rules.score}"
    cells = sorted(selection.cells, key=lambda cell: (-cell.mean(metric), cell.name))
    if not cells:
        return None
    runs = [_read(cell, source, rules.score) for cell in cells[: rules.max_tested]]
    tested = {cell.name: seeds for cell, seeds in zip(cells, runs, strict=False) if seeds}
    spreads = {name: cell_spread(seeds) for name, seeds in tested.items()}
    prior = learn_prior(list(spreads.values()))
    top = cells[0]
    comparisons: dict[str, Comparison] = {}
    family_size = family_pairs(len(cells))
    if top.name in tested:
        others = {name: seeds for name, seeds in tested.items() if name != top.name}
        found = compare_with_top(
            tested[top.name],
            others,
            family_size=family_size,
            level=rules.level,
            equivalence=rules.equivalence,
            is_accuracy=rules.score == "acc_micro",
        )
        comparisons = {comparison.name: comparison for comparison in found}
    rows = []
    for place, cell in enumerate(cells):
        spread = spreads.get(cell.name)
        interval = None
        if spread is not None:
            told = estimate(spread, prior)
            interval = share_interval(told, rules.level, spread.n_groups)
        comparison = comparisons.get(cell.name)
        standing, why = _standing(cell, place, comparison, tested, rules, top)
        seeds = summarise_seeds(cell.values(metric), rules.level)
        rows.append(Row(cell, seeds, interval, spread, standing, comparison, why))
    candidates = [row for row in rows if row.standing in MAY_BE_BEST]
    return Verdict(rules, tuple(rows), cheapest(candidates), family_size)


def cheapest(rows: Sequence[Row]) -> Row:
    """The row with the shortest training; among about equals (10 %) the best on validation.

    Where a training time is missing, trainable parameters decide.
    """
    costs = [row.cell.mean(TRAIN_S) for row in rows]
    if not np.all(np.isfinite(costs)):
        costs = [row.cell.number("trainable_params") for row in rows]
    if not np.all(np.isfinite(costs)):
        return rows[0]
    affordable = [
        row for row, cost in zip(rows, costs, strict=True) if cost <= min(costs) * _SAME_COST
    ]
    return max(affordable, key=lambda row: row.value)


def _read(cell: Cell, source: Source, score: str) -> dict[str, Scored]:
    """The runs of a cell that have predictions on validation."""
    found = {seed: source.predictions(run.run_id, "val") for seed, run in cell.runs.items()}
    return {
        seed: scored(predictions, score)
        for seed, predictions in found.items()
        if predictions is not None and len(predictions.items)
    }


def _standing(
    cell: Cell,
    place: int,
    comparison: Comparison | None,
    tested: dict[str, dict[str, Scored]],
    rules: Rules,
    top: Cell,
) -> tuple[Standing, str]:
    if place == 0:
        return "top", ""
    if comparison is not None:
        told = comparison.relation
        if told == "open" and comparison.interval[1] < 0:
            return "behind", ""
        # Ahead of the top on the seeds that they share: then who is on top is open.
        return ("open" if told == "better" else told), ""
    if place >= rules.max_tested:
        return "not tested", f"only the first {rules.max_tested} are tested one by one"
    if cell.name not in tested:
        return "not tested", "no predictions on validation"
    if top.name not in tested:
        return "not tested", "the top has no predictions on validation"
    return "not tested", "no seed with the same validation images as the top"
