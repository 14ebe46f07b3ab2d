"""The recommended cell on the test images."""

from dataclasses import dataclass

from frostline.reporting.cell_predictions import read_cell_predictions
from frostline.reporting.number_text import percent, whole_percent
from frostline.stats.intervals import share_interval, summarise_seeds
from frostline.stats.paired import cell_spread, scored
from frostline.stats.rules import SHORT_SCORE_NAMES, Rules
from frostline.stats.variance import NO_PRIOR, estimate
from frostline.stats.verdict import Row
from frostline.tracking.run_contents import Source


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
