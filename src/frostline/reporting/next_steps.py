"""What to run next: the seeds that change the decision most, their seconds, the command to type."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from frostline.reporting.number_text import points, seconds
from frostline.reporting.rerun_command import commands_for
from frostline.reporting.select import Selection
from frostline.reporting.tables import Column, Table, Value
from frostline.stats.cell import Cell, value_order
from frostline.stats.folds import are_folds
from frostline.stats.judged_cell import Row
from frostline.stats.next_runs import Known, NextRuns, best_plan, plans
from frostline.stats.verdict import Verdict
from frostline.tracking.records import RunRecord
from frostline.tracking.run_contents import Source

_MAX_NAMED = 4
_MAX_COMMANDS = 4
_LIKELY = 0.05
# A plan is worth typing from this share of the tolerance on.
_LEAST_SHARE = 0.1
# A table of plans that all gain less than it shows, a tenth of a point, says nothing.
_SHOWN_GAIN = 0.0005
_OPEN_STILL = (
    "To distinguish what cannot be distinguished now is another question: “How sure is this” "
    "says what seeds can show. "
)
# What folds share in their training does not become less with more of them.
_FOLDS = (
    "What further folds would be worth is not computed. Folds of further seeds (seed=0,1) "
    "judge the same images again; only more images take away what all folds have in common."
)


@dataclass(frozen=True)
class NextSteps:
    """What to run next.

    Attributes:
        text: Sentences, the command last; empty where there is nothing to choose from.
        table: All plans that no cheaper one beats; None with one seed, or without predictions.
        values: For scripts.
    """

    text: str = ""
    table: Table | None = None
    values: Mapping[str, Any] | None = None


def next_steps(verdict: Verdict, selection: Selection, source: Source) -> NextSteps:
    """Plan further seeds.

    Args:
        verdict: What is known.
        selection: The runs.
        source: Where the plans of their sweeps are.
    """
    if verdict.error is None or len(verdict.rows) < 2:
        return NextSteps()
    rows = {row.cell.name: row for row in verdict.rows}
    able = [rows[name] for name in verdict.error.names]
    runs = {run.run_id: run for run in selection.runs}
    if are_folds(verdict.top.cell.run_ids):
        return NextSteps(_FOLDS)
    if not verdict.error.knows_seeds:
        return _second_seed(verdict, able, runs, source)
    error = verdict.error
    costs = np.array([row.cell.next_seed_s for row in able])
    is_timed = bool(np.isfinite(costs).all())
    known = Known(
        error.means,
        error.images,
        error.seeds_part,
        error.n_seeds,
        error.own_splits,
        costs if is_timed else np.ones(len(able)),
    )
    front = plans(known, [row.chance or 0.0 for row in able])
    least = _LEAST_SHARE * verdict.rules.tolerance
    best = best_plan(front, least)
    table = _table(front, able, is_timed=is_timed)
    if best is None:
        shown = table if any(plan.gain >= _SHOWN_GAIN for plan in front) else None
        return NextSteps(_hardly(front, able, is_timed=is_timed), shown, {"cells": []})
    cells = [able[place].cell for place in best.cells]
    names = _listed([cell.name for cell in cells], len(able))
    commands = commands_for(cells, _seeds(cells, best.seeds), runs, source)
    more = f"{best.seeds} more seed{'s' if best.seeds > 1 else ''}"
    text = (
        f"Worth running: {more} for {names} ({_took(best, is_timed=is_timed)}). The expected loss "
        f"of the best choice falls by about {points(best.gain)}, most of what more seeds can do."
    )
    first = next(plan for plan in front if plan.gain >= least)
    if first is not best:
        few = _listed([able[place].cell.name for place in first.cells], len(able))
        text += (
            f" A first step: {first.seeds} for {few} ({_took(first, is_timed=is_timed)}), "
            f"{points(first.gain)}."
        )
    values = _values(cells, best.seeds, best.seconds if is_timed else None, best.gain, commands)
    return NextSteps(text + _typed(commands), table, values)


def _second_seed(
    verdict: Verdict,
    able: Sequence[Row],
    runs: Mapping[str, RunRecord],
    source: Source,
) -> NextSteps:
    """What a second seed would cost: how much seeds differ is not known before there is one."""
    likely = [row for row in able if (row.chance or 0.0) >= _LIKELY] or [verdict.likeliest]
    if len(likely) < 2:
        order = sorted(able, key=lambda row: row.loss or 0.0)
        likely = order[:2]
    cells = [row.cell for row in likely]
    commands = commands_for(cells, _seeds(cells, 1), runs, source)
    few, every = _second_s(cells), _second_s([row.cell for row in able])
    names = _listed([cell.name for cell in cells], len(able))
    text = (
        "How much seeds differ is not known before there is a second one. A second seed for "
        f"{names} takes {_runs_text(len(cells), few)}"
    )
    if len(cells) < len(able):
        text += f"; for all {len(able)}, {_runs_text(len(able), every)}"
    text += "."
    return NextSteps(text + _typed(commands), None, _values(cells, 1, few, None, commands))


def _second_s(cells: Sequence[Cell]) -> float | None:
    total = float(sum(cell.next_seed_s for cell in cells))
    return total if np.isfinite(total) else None


def _runs_text(n_runs: int, took_s: float | None) -> str:
    text = f"{n_runs} run{'s' if n_runs > 1 else ''}"
    return text if took_s is None else f"about {seconds(took_s)} ({text})"


def _took(plan: NextRuns, *, is_timed: bool) -> str:
    n_runs = plan.seeds * len(plan.cells)
    text = f"{n_runs} run{'s' if n_runs > 1 else ''}"
    return f"{text}, about {seconds(plan.seconds)}" if is_timed else text


def _hardly(front: Sequence[NextRuns], able: Sequence[Row], *, is_timed: bool) -> str:
    if not front:
        return ""
    most = front[-1]
    names = _listed([able[place].cell.name for place in most.cells], len(able))
    return (
        f"More seeds would hardly make the choice better: even {most.seeds} more for {names} "
        f"({_took(most, is_timed=is_timed)}) lower its expected loss by {points(most.gain)} only. "
        f"{_OPEN_STILL if any(row.standing == 'open' for row in able) else ''}"
        "What is left to gain lies in other configurations, or in more images."
    )


def _typed(commands: Sequence[str]) -> str:
    if not commands:
        return "\nHow these were run is not recorded: give their command again with more seeds."
    shown = "\n".join(commands[:_MAX_COMMANDS])
    more = len(commands) - _MAX_COMMANDS
    ends = f"\n(and {more} more, in verdict.json)" if more > 0 else ""
    return f"\nType (finished runs are read, not repeated):\n{shown}{ends}"


def _seeds(cells: Sequence[Cell], more: int) -> list[str]:
    """All seeds that the cells have, and the next ones."""
    had = sorted({seed for cell in cells for seed in cell.run_ids}, key=value_order)
    numbers = [int(seed) for seed in had if seed.isdecimal()]
    start = max(numbers, default=-1) + 1
    return [*had, *(str(start + k) for k in range(more))]


def _listed(names: Sequence[str], n_all: int) -> str:
    if len(names) == n_all and n_all > 2:
        return f"all {n_all} configurations"
    more = len(names) - _MAX_NAMED
    return ", ".join(names[:_MAX_NAMED]) + (f" and {more} more" if more > 0 else "")


def _table(front: Sequence[NextRuns], able: Sequence[Row], *, is_timed: bool) -> Table:
    columns = [
        Column("more seeds for"),
        Column("configurations", "count"),
        Column("more seeds", "count"),
        Column("runs", "count"),
        Column("about", "seconds"),
        Column("expected loss falls by, points", "points"),
    ]
    rows: list[list[Value]] = [
        [
            _listed([able[place].cell.name for place in plan.cells], len(able)),
            len(plan.cells),
            plan.seeds,
            plan.seeds * len(plan.cells),
            plan.seconds if is_timed else None,
            plan.gain,
        ]
        for plan in front
    ]
    return Table("next-runs", "What more seeds are worth", columns, rows).without_empty_columns()


def _values(
    cells: Sequence[Cell],
    seeds: int,
    took_s: float | None,
    gain: float | None,
    commands: Sequence[str],
) -> dict[str, Any]:
    return {
        "cells": [cell.name for cell in cells],
        "more_seeds": seeds,
        "runs": seeds * len(cells),
        "seconds": took_s,
        "gain": gain,
        "commands": list(commands),
    }
