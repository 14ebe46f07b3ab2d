"""One row of MLflow's table for each cell of a sweep: over its seeds, as the report judges it.

They are children of the sweep beside its jobs, known by the tag `frostline.kind`: the parent
of a job stays the sweep, for every reader that there is. Their figures have names of their own
(`cell/...`), so that a column of MLflow's table holds cells alone, and sorting by it answers which
depth to take.
"""

import math
from collections.abc import Sequence

from frostline.stats.cell import Cell
from frostline.stats.folds import word_for
from frostline.stats.judged_cell import Row
from frostline.stats.verdict import Verdict
from frostline.tracking.records import CELL, ENDED, KIND_TAG, USER_TAGS, RunRecord
from frostline.tracking.store import Store

_RUNS_TAG = "frostline.cell_runs"
_SWEEP_TAG = "frostline.sweep_id"
NOTE = "mlflow.note.content"


def record_cells(store: Store, sweep: RunRecord, verdict: Verdict, *, step: int) -> int:
    """Write or update the row of each cell, and remove those whose runs are in no cell any more.

    Args:
        store: Where the sweep is.
        sweep: The sweep's run.
        verdict: What the report says.
        step: Of the figures: the number of runs behind the report, which grows as a sweep goes on.

    Returns:
        How many cells there are.
    """
    if store.offline:
        return 0
    key = {KIND_TAG: CELL, _SWEEP_TAG: sweep.tags.get(_SWEEP_TAG, sweep.run_id)}
    earlier = {run.run_id: run for run in store.find_runs(key, everywhere=True)}
    for row in verdict.rows:
        found = row_of(row.cell, list(earlier.values()))
        values = figures_of(row, verdict)
        tags = tags_of(row, verdict, sweep)
        if found is not None:
            del earlier[found.run_id]
            if found.status in ENDED:
                with store.amend_run(found.run_id) as run, run.batched():
                    run.set_tags(tags)
                    run.log_metrics(values, step=step)
                continue
        run = store.start_run(
            f"cell {row.cell.name}", key | tags, sweep.run_id, experiment=sweep.experiment
        )
        with run.batched():
            run.log_params(row.cell.params)
            run.log_metrics(values, step=step)
        run.finish("FINISHED")
    for stale in earlier:
        store.client.delete_run(stale)  # to MLflow's bin
    return len(verdict.rows)


def row_of(cell: Cell, earlier: Sequence[RunRecord]) -> RunRecord | None:
    """The row that a cell has already: one about any of its runs, whatever else it was called."""
    own = set(cell.run_ids.values())
    return next((run for run in earlier if own & set(run.tags.get(_RUNS_TAG, "").split(","))), None)


def figures_of(row: Row, verdict: Verdict) -> dict[str, float]:
    """A cell's figures: scores and losses as shares of 1, seconds; without what is not known."""
    low, high = row.interval or (math.nan, math.nan)
    score = verdict.rules.score
    figures = {
        f"cell/val_{score}": row.value,
        f"cell/val_{score}_sd": row.seeds.sd,
        f"cell/val_{score}_low": low,
        f"cell/val_{score}_high": high,
        "cell/chance_best": math.nan if row.chance is None else row.chance,
        "cell/expected_loss": math.nan if row.loss is None else row.loss,
        "cell/recommended": float(row is verdict.recommended),
        f"cell/{word_for(row.cell.run_ids)}": float(len(row.cell.run_ids)),
        f"cell/test_{score}": row.cell.mean(f"test/{score}"),
        "cell/seconds_a_run": row.cell.alone_s,
    }
    return {name: value for name, value in figures.items() if math.isfinite(value)}


def tags_of(row: Row, verdict: Verdict, sweep: RunRecord) -> dict[str, str]:
    """A cell's tags: its runs, its standing, a line that says what it is, the user's own tags."""
    recommended = row is verdict.recommended
    seeds = ", ".join(f"seed {seed}: {run_id}" for seed, run_id in row.cell.run_ids.items())
    word = word_for(row.cell.run_ids)
    own = {name: sweep.tags[name] for name in users_tags(sweep)}
    return own | {
        _RUNS_TAG: ",".join(row.cell.run_ids.values()),
        "standing": row.standing,
        "recommended": "yes" if recommended else "no",
        NOTE: f"One configuration over its {word}, as the report of `{sweep.name}` judges it"
        f"{' and recommends it' if recommended else ''}. Runs: {seeds}",
    }


def users_tags(sweep: RunRecord) -> list[str]:
    """Names of the tags of a sweep's run that the user gave it (`tags.project=leaves`)."""
    return [name for name in sweep.tags.get(USER_TAGS, "").split(",") if name in sweep.tags]
