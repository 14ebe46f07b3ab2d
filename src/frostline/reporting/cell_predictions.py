"""Read the predictions of a cell's runs, and reach the verdict on a selection with them."""

from frostline.reporting.select import Selection
from frostline.stats.cell import Cell
from frostline.stats.paired import Scored, scored
from frostline.stats.predictions import Predictions
from frostline.stats.rules import Rules
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
