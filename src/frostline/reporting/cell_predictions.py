"""What the predictions of cells show: the verdict on validation, and the chosen one on test."""

from dataclasses import dataclass

from frostline.reporting.number_text import percent, whole_percent
from frostline.reporting.select import Selection
from frostline.stats.cell import Cell
from frostline.stats.intervals import share_interval, summarise_seeds
from frostline.stats.paired import Scored, cell_spread, scored
from frostline.stats.predictions import Predictions
from frostline.stats.rules import SHORT_SCORE_NAMES, Rules
from frostline.stats.variance import NO_PRIOR, estimate
from frostline.stats.verdict import Row, Verdict, rank, reach_verdict
from frostline.tracking.run_contents import Source


def read_cell_predictions(cell: Cell, source: Source, split: str) -> dict[str, Predictions]:
    """The predictions on one split by seed, for the runs of a cell that have some."""
    by_seed = {seed: source.predictions(run_id, split) for seed, run_id in cell.run_ids.items()}
    return {
        seed: predictions
        for seed, predictions in by_seed.items()
        if predictions is not None and len(predictions.items)
    }


def verdict_on(selection: Selection, source: Source, rules: Rules) -> Verdict | None:
    """Read the predictions on validation of the best cells and compare all cells.

    Returns:
        None if there is no cell.
    """
    ranked = rank(selection.cells, rules)
    by_cell: dict[str, dict[str, Scored]] = {}
    for cell in ranked[: rules.max_tested]:
        predictions = read_cell_predictions(cell, source, "val")
        if predictions:
            by_cell[cell.name] = {
                seed: scored(one, rules.score) for seed, one in predictions.items()
            }
    return reach_verdict(ranked, by_cell, rules)


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


NO_RESULT = HeldOutResult(float("nan"), None, "")


def held_out_result(row: Row, source: Source, rules: Rules) -> HeldOutResult:
    """Read the test figures of the recommended cell, once, after the choice."""
    values = row.cell.values(f"test/{rules.score}")
    score = SHORT_SCORE_NAMES[rules.score]
    if not values:
        return HeldOutResult(float("nan"), None, f"{row.cell.name} has no test figures.")
    predictions = read_cell_predictions(row.cell, source, "test")
    summary = summarise_seeds(values, rules.level)
    interval = None
    sentence = f"{row.cell.name} reaches {score} {percent(summary.mean)}"
    if predictions:
        spread = cell_spread({s: scored(one, rules.score) for s, one in predictions.items()})
        interval = share_interval(estimate(spread, NO_PRIOR), rules.level, spread.n_groups)
        low, high = (percent(end) for end in interval)
        sentence += f" ({whole_percent(rules.level)} interval {low} to {high})"
    sentence += (
        f", {summary.n} seed{'s' if summary.n > 1 else ''}. The choice was made on validation; the "
        "test figures of the others were not used for it."
    )
    return HeldOutResult(summary.mean, interval, sentence)
