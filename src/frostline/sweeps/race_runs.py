"""The runs of a race's jobs: which are there, which fit into a budget, how dropped ones end."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from frostline.config.search_settings import FIRST_LOOK
from frostline.errors import TrackingError
from frostline.reporting.look_count import look_digest
from frostline.sweeps.budget import epochs_left
from frostline.sweeps.outcome import find_finished_runs
from frostline.sweeps.plan import PlannedJob
from frostline.sweeps.race_cells import has_come, rung_of
from frostline.tracking.looks_record import looks_at, record_look
from frostline.tracking.records import DROPPED

if TYPE_CHECKING:
    from frostline.tracking.records import RunRecord
    from frostline.tracking.store import Store
    from frostline.tracking.tracked_run import Run

Known = Mapping[str, "RunRecord"]  # by digest of the job


def known_runs(store: "Store", jobs: Sequence[PlannedJob]) -> "dict[str, RunRecord]":
    """The newest run of each job, by digest; a whole one before others."""
    runs = store.find_runs({"frostline.kind": "job"})
    wanted = {job.digest for job in jobs}
    newest: dict[str, RunRecord] = {}
    for run in runs:
        digest = run.tags.get("frostline.job_digest", "")
        if digest in wanted:
            newest.setdefault(digest, run)
    return newest | find_finished_runs(jobs, runs)


def affordable(
    jobs: Sequence[tuple[PlannedJob, int | None]], known: Known, epochs: float
) -> tuple[list[PlannedJob], float]:
    """The jobs that so many epochs let begin, in their order, and the epochs that they train.

    Args:
        jobs: Each with the epoch at which it pauses.
        known: Their runs.
        epochs: What is left of the budget.
    """
    able, spent = [], 0.0
    for job, until in jobs:
        run = known.get(job.digest)
        needed = epochs_left(job, rung_of(run), until, is_seen=has_come(run, FIRST_LOOK))
        if spent + needed <= epochs:  # a later, cheaper one may still fit
            spent += needed
            able.append(job)
    return able, spent


def end_dropped(store: "Store", jobs: Sequence[PlannedJob], known: Known, reason: str) -> None:
    """Give the paused runs of a cell that goes no further their end, and the reason."""
    for job in jobs:
        record = known.get(job.digest)
        if record is None or record.status != "SCHEDULED":
            continue
        with suppress(TrackingError):  # another race of the same jobs has just gone on with it
            run = store.resume_run(record.run_id)
            run.set_tags({DROPPED: reason})
            run.finish("FINISHED")


def count_look(store: "Store", sweep_run: "Run", known: Known, score: str) -> None:
    """Record that results were looked at, since the race may stop by what it saw.

    The report's claims spend less for each look, as if a person had looked.
    """
    sweep = store.get_run(sweep_run.run_id)
    whole = [run.run_id for run in known.values() if run.is_whole]
    look = look_digest(score, whole)
    if look not in looks_at([sweep]):
        record_look(store, [sweep], look)
