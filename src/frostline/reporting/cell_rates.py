"""The learning rate of each cell, and how it was found: typed, set by a strategy, or tuned."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from frostline.reporting.tables import Value
from frostline.stats.cell import Cell
from frostline.tracking.records import SOLVER, RunRecord

LR = "lr"
AUTO = "auto"
LR_FROM = "lr_from"
TUNED = "frostline.tuned"
AT_EDGE = "frostline.tuned_at_edge"
TUNED_NOTE = (
    "Each configuration tuned its learning rate on validation images of its first seed, and these "
    "judge it, too. That makes its score slightly too high, and a difference slightly off where "
    "only one of the two depends on its rate. How much was simulated, and there the intervals held "
    "nevertheless (docs/report.md, Sweeps over learning rates). Test images took no part."
)


@dataclass(frozen=True)
class CellRate:
    """The learning rate of a cell's runs.

    Attributes:
        by_seed: The rate of each seed, as logged; empty where none is recorded.
        origin: `typed`, `strategy`, or `tuned` for a rate that the cell's first run chose.
        also: Further keys that were tuned, with the value of the first seed; `head` with the
            solver where a linear head was solved exactly instead of trained at the rate.
        at_edge: Chosen keys whose value lies at the edge of what was tried.
        n_typed: How many typed rates it is the best of.
    """

    by_seed: Mapping[str, str]
    origin: str
    also: Mapping[str, str]
    at_edge: Sequence[str]
    n_typed: int = 1

    @property
    def chosen(self) -> bool:
        """Whether it was looked for: tuned, or the best of several that were typed."""
        return "tuned" in self.origin or self.n_typed > 1

    @property
    def is_solved(self) -> bool:
        """Whether a linear head was solved exactly instead of trained at the rate."""
        return "head" in self.also

    @property
    def value(self) -> Value:
        """The rate as a number; as text where the seeds have several; None where there is none."""
        numbers = (_number(rate) for rate in self.by_seed.values())
        rates = sorted({number for number in numbers if number is not None})
        if len(rates) == 1:
            return rates[0]
        return f"{rates[0]:.4g} to {rates[-1]:.4g}" if rates else None

    @property
    def text(self) -> str:
        """The rate as a person reads it: `0.0005`, or the text that was logged."""
        value = self.value
        if isinstance(value, str):
            return value
        return next(iter(self.by_seed.values()), "?") if value is None else f"{value:.4g}"


def with_tuned_as_auto(records: Iterable[RunRecord]) -> list[RunRecord]:
    """Runs whose tuned keys say `auto`, so that what was chosen does not make cells of its own."""
    return [_with_auto(run) for run in records]


def tuned_values(run: RunRecord) -> dict[str, str]:
    """What a run tuned, or took from the run of its cell that did: key to the chosen value."""
    try:
        found = json.loads(run.tags.get(TUNED, "{}"))
    except ValueError:
        found = {}
    values = {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}
    if run.tags.get(LR_FROM) == "tuned" and LR not in values and LR in run.params:
        values[LR] = run.params[LR]
    return values


def cell_rate(cell: Cell, runs: Mapping[str, RunRecord]) -> CellRate:
    """The rate of a cell.

    Args:
        cell: The cell.
        runs: All compared runs by id, tuned keys as `auto`.
    """
    own = {seed: runs[run_id] for seed, run_id in cell.run_ids.items() if run_id in runs}
    tuned = {seed: tuned_values(run) for seed, run in own.items()}
    rates = {seed: tuned[seed].get(LR, run.params.get(LR, "")) for seed, run in own.items()}
    origins = [run.tags.get(LR_FROM, "typed") for run in own.values()]
    first = next(iter(tuned.values()), {})
    edges = [key for run in own.values() for key in run.tags.get(AT_EDGE, "").split(",") if key]
    solver = next((run.tags[SOLVER] for run in own.values() if SOLVER in run.tags), "")
    return CellRate(
        by_seed={seed: rate for seed, rate in rates.items() if rate},
        origin=", ".join(dict.fromkeys(origins)),
        also={key: value for key, value in first.items() if key != LR}
        | ({"head": solver} if solver else {}),
        at_edge=tuple(dict.fromkeys(edges)),
    )


def _with_auto(run: RunRecord) -> RunRecord:
    values = tuned_values(run)
    if not values:
        return run
    params = {**run.params, **dict.fromkeys(values, AUTO)}
    return replace(run, params=params, tags={**run.tags, TUNED: json.dumps(values)})


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
