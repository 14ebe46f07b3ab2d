"""How the jobs of a sweep ended, by what MLflow holds and what the launcher returned."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from src.sweep.plan import PlannedJob
from src.sweep.summary import Outcome

if TYPE_CHECKING:
    from src.tracking.records import RunRecord
    from src.tracking.store import Store


def finished_runs(store: "Store", jobs: Sequence[PlannedJob]) -> dict[str, "RunRecord"]:
    """The finished run of each job that has one, by digest."""
    wanted = {job.digest for job in jobs}
    finished = store.find_runs({"frostline.kind": "job"}, status=["FINISHED"])
    # The newest comes first and must win.
    by_digest = {run.tags.get("frostline.job_digest", ""): run for run in reversed(finished)}
    return {digest: run for digest, run in by_digest.items() if digest in wanted}


def settle_failures(
    store: "Store",
    todo: Sequence[PlannedJob],
    sweep_id: str,
    parent_run_id: str,
    failures: dict[str, str],
) -> None:
    """Give a FAILED run to each failed job whose process could not do so itself."""
    recorded = {
        run.tags.get("frostline.job_digest", ""): run
        for run in store.find_runs({"frostline.kind": "job", "frostline.sweep_id": sweep_id})
    }
    for job in todo:
        reason = failures.get(job.digest)
        run = recorded.get(job.digest)
        if reason is None or (run is not None and run.status != "RUNNING"):
            continue
        if run is not None:
            store.resume_run(run.run_id).finish("FAILED", reason)
            continue
        tags = {
            "frostline.kind": "job",
            "frostline.sweep_id": sweep_id,
            "frostline.job_digest": job.digest,
        }
        store.start_run(job.settings.run_name, tags, parent_run_id).finish("FAILED", reason)


def outcomes_of(
    store: "Store",
    jobs: Sequence[PlannedJob],
    answered: dict[str, "RunRecord"],
    failures: dict[str, str],
) -> list[Outcome]:
    """How each job ended.

    Args:
        store: Where the runs are.
        jobs: All jobs of the sweep.
        answered: Runs that had answered a job before the sweep began, by digest.
        failures: Reasons of the jobs that failed now, by digest.
    """
    finished = finished_runs(store, jobs)
    outcomes = []
    for job in jobs:
        run = finished.get(job.digest)
        name = job.settings.run_name
        if job.digest in failures:
            outcomes.append(Outcome(name, "failed", failures[job.digest], {}, {}))
        elif run is None:
            outcomes.append(Outcome(name, "not run", "the sweep ended before it", {}, {}))
        else:
            state = "reused" if job.digest in answered else "done"
            outcomes.append(Outcome(name, state, "", dict(run.params), dict(run.metrics)))
    return outcomes
