"""One cell with all that is concluded about it, and which of several cells to take."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from frostline.stats.cell import Cell
from frostline.stats.expected_loss import (
    cheapest_within,
)
from frostline.stats.intervals import SeedSummary
from frostline.stats.paired import (
    Comparison,
)
from frostline.stats.variance import Spread

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
