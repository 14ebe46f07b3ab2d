"""What the predictions of cells show: the verdict on validation, and the chosen one on test."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from frostline.invocation import as_called
from frostline.reporting.cell_settings import FOLDS
from frostline.reporting.number_text import percent, points, whole_percent
from frostline.reporting.select import Selection
from frostline.reporting.typed_rates import candidates, chosen_rate
from frostline.stats.cell import Cell
from frostline.stats.folds import are_folds, counted, overlap_of
from frostline.stats.intervals import share_interval, summarise_seeds
from frostline.stats.paired import Seeds, cell_spread, scored, shared_seeds
from frostline.stats.predictions import Predictions
from frostline.stats.rate_choice import RateChoice, choose_rate
from frostline.stats.rules import SHORT_SCORE_NAMES, Rules
from frostline.stats.variance import NO_PRIOR, Spread, estimate, prior_elsewhere
from frostline.stats.verdict import Verdict, rank, reach_verdict
from frostline.tracking.run_contents import Source


def read_cell_predictions(cell: Cell, source: Source, split: str) -> dict[str, Predictions]:
    """The predictions on one split by seed, for the runs of a cell that have some."""
    by_seed = {seed: source.predictions(run_id, split) for seed, run_id in cell.run_ids.items()}
    return {
        seed: predictions
        for seed, predictions in by_seed.items()
        if predictions is not None and len(predictions.items)
    }


def verdict_on(selection: Selection, source: Source, rules: Rules, look: int = 1) -> Verdict | None:
    """Read the predictions on validation of the best cells and compare all cells.

    Where a cell is the best of several typed rates, the luck of that choice is taken off.

    Args:
        selection: What is compared.
        source: Where predictions come from.
        rules: How to compare.
        look: Number of this look at growing results, from 1.

    Returns:
        None if there is no cell.
    """
    ranked = rank(selection.cells, rules)
    tested, rest = ranked[: rules.max_tested], ranked[rules.max_tested :]
    by_cell: dict[str, Seeds] = {}
    cells: list[Cell] = []
    for cell in tested:
        seeds = _scored_cell(cell, source, rules)
        choice = None
        if cell.name in selection.tried:
            choice = _choice(cell, selection.tried[cell.name], seeds, source, rules)
        if choice is not None:
            cell = replace(cell, optimism=choice.optimism)
            seeds = choice.seeds
        if seeds:
            by_cell[cell.name] = seeds
        cells.append(cell)
    usual = float(np.mean([cell.optimism for cell in cells])) if cells else 0.0
    cells += [replace(cell, optimism=usual) for cell in rest]
    return reach_verdict(cells, by_cell, rules, look, entered=len(cells) + selection.n_dropped)


def _scored_cell(cell: Cell, source: Source, rules: Rules) -> Seeds:
    predictions = read_cell_predictions(cell, source, "val")
    overlap = _overlap(cell)
    return {seed: scored(one, rules.score, overlap) for seed, one in predictions.items()}


def _overlap(cell: Cell) -> float:
    """n_val / n_train where the cell's runs are folds of one data set; else 0."""
    if not are_folds(cell.run_ids):
        return 0.0
    return overlap_of(int(cell.params[FOLDS]), float(cell.params.get("data_fraction", 1.0)))


def _choice(
    cell: Cell, tried: Mapping[str, Cell], own: Seeds, source: Source, rules: Rules
) -> RateChoice | None:
    """The choice of a cell's rate; None where rates cannot be compared image by image."""
    rates: dict[str, Seeds] = {}
    for rate, one in candidates(tried).items():
        seeds = own if one.run_ids == cell.run_ids else _scored_cell(one, source, rules)
        if list(seeds) == list(own) and len(shared_seeds(seeds, own)) == len(own):
            rates[rate] = seeds
    chosen = chosen_rate(cell, tried)
    if len(rates) < 2 or chosen not in rates or not own:
        return None
    return choose_rate(rates, chosen)


@dataclass(frozen=True)
class HeldOutResult:
    """The recommended cell on the test images.

    Attributes:
        value: Mean over seeds; NaN if no run has it.
        interval: Images and seeds; None without predictions.
        sentence: A sentence for the page.
    """

    value: float
    interval: tuple[float, float] | None
    sentence: str


_HELD_OUT = (
    "The choice was made on validation; the test figures of the others were not used for it."
)
_HELD_OUT_FOLDS = (
    "The test images of one fold are the validation images of another, so the choice was made on "
    "the same images by other models: the figure is slightly too high where many were compared. "
    "Images kept apart (python -m src.evaluate RUN --data DIR) show it."
)
NO_RESULT = HeldOutResult(float("nan"), None, "")


def held_out_result(verdict: Verdict, source: Source) -> HeldOutResult:
    """Read the test figures of the recommended cell, once, after the choice.

    What its few seeds add to the error is estimated together with the seeds of all cells on
    validation, as the intervals there.
    """
    row, rules = verdict.recommended, verdict.rules
    values = row.cell.values(f"test/{rules.score}")
    is_folded = are_folds(row.cell.run_ids)
    score = SHORT_SCORE_NAMES[rules.score]
    if not values:
        return HeldOutResult(float("nan"), None, f"{row.cell.name} has no test figures.")
    predictions = read_cell_predictions(row.cell, source, "test")
    summary = summarise_seeds(values, rules.level)
    interval, is_far_below, explained = None, False, ""
    sentence = f"{row.cell.name} reaches {score} {percent(summary.mean)}"
    if predictions:
        overlap = _overlap(row.cell)
        spread = cell_spread(
            {s: scored(one, rules.score, overlap) for s, one in predictions.items()}
        )
        family = [one.spread for one in verdict.rows if one.spread is not None]
        prior = NO_PRIOR if row.spread is None else prior_elsewhere(family, row.spread, spread)
        interval = share_interval(estimate(spread, prior), rules.level, spread.n_groups)
        is_far_below = row.interval is not None and interval[1] < row.interval[0]
        explained = "other images and seeds explain"
        if prior == NO_PRIOR and row.spread is not None:
            # Nothing tells what few seeds add; but the same trained models are judged twice.
            val, test = (_by_images(one, rules.level) for one in (row.spread, spread))
            is_far_below, explained = test[1] < val[0], "other images explain"
        low, high = (percent(end) for end in interval)
        sentence += f" ({whole_percent(rules.level)} interval {low} to {high})"
    why = as_called(_HELD_OUT_FOLDS) if is_folded else _HELD_OUT
    sentence += f", {counted(row.cell.run_ids)}. {why}"
    if is_far_below:
        sentence += (
            f" That is {points(row.value - summary.mean)} below validation, more than {explained}: "
            "the test images are of another kind, or the validation images are "
            "too much like the training images, such as further photos of the same subjects."
        )
    return HeldOutResult(summary.mean, interval, sentence)


def _by_images(spread: Spread, level: float) -> tuple[float, float]:
    """The interval of the trained models on other images, without what seeds add."""
    return share_interval(estimate(replace(spread, n_seeds=1), NO_PRIOR), level, spread.n_groups)
