"""One sweep from its composed jobs to its ending: plan, parent run, launch, table, report."""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from rich.console import Console

from src.config.schema import Settings
from src.errors import FrostlineError
from src.sweep import summary, workers
from src.sweep.job import experiment_of
from src.sweep.plan import PlannedJob, job_digest, merge_duplicates
from src.sweep.preflight import check_jobs
from src.sweep.progress import clock

if TYPE_CHECKING:
    from src.tracking.records import RunRecord
    from src.tracking.store import Store

FAILED_JOBS_EXIT_CODE = 1


class SweepEndedError(Exception):
    """A sweep that has already told the person how it ended, with the exit code to leave with."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code


def run_sweep(
    composed: Sequence[tuple[tuple[str, ...], Settings]],
    *,
    sweep_id: str,
    folder: Path,
    make_launcher: Callable[[], Launcher],
) -> list[summary.Outcome]:
    """Run a sweep whose jobs are composed and valid by themselves.

    Args:
        composed: Overrides and settings of the jobs that the command asks for.
        sweep_id: The sweep's own id; its jobs are found by it.
        folder: The sweep's folder.
        make_launcher: Makes the configured launcher, once there is something to launch.

    Returns:
        How each job ended.

    Raises:
        FrostlineError: If a job asks for something impossible; nothing was started then.
        SweepEndedError: If jobs failed. The table has been printed.
        StopSignalError: If the sweep was stopped; what is finished stays finished.
    """
    begun = time.monotonic()
    console = Console(file=sys.stderr, soft_wrap=True, highlight=False)
    jobs = plan_jobs(composed, console)
    first = jobs[0].settings
    if first.dry_run:
        for job in jobs:
            console.print(f"  {job.settings.run_name}  {job.digest[:12]}", markup=False)
        return []

    from src.tracking.store import open_store

    store = open_store(first.tracking.uri, experiment_of(first), offline=first.tracking.offline)
    answered = {} if first.rerun else finished_runs(store, jobs)
    todo = [job for job in jobs if job.digest not in answered]
    if answered:
        console.print(f"{len(answered)} of {len(jobs)} jobs are finished already: not run again")
    parent = store.start_run(
        f"sweep-{sweep_id[:6]}",
        tags={
            "frostline.kind": "sweep",
            "frostline.sweep_id": sweep_id,
            "mlflow.note.content": f"`python -m src.train {' '.join(sys.argv[1:])}`",
        },
    )
    try:
        failures = _launch(todo, sweep_id, parent.run_id, make_launcher) if todo else {}
        _settle(store, todo, sweep_id, parent.run_id, failures)
        outcomes = _outcomes(store, jobs, sweep_id, answered, failures)
        parent.log_text(summary.markdown(outcomes), "outcome.md")
        (folder / "outcome.md").write_text(summary.markdown(outcomes))
        failed = [outcome for outcome in outcomes if not outcome.succeeded]
        reason = f"{len(failed)} of {len(jobs)} jobs have no result" if failed else ""
        parent.finish("FAILED" if failed else "FINISHED", reason)
    except workers.StopSignalError:
        parent.finish("KILLED", "stopped by a signal")
        console.print(f"stopped; go on with:  python -m src.train {' '.join(sys.argv[1:])}")
        raise
    except BaseException as error:
        parent.finish("FAILED", f"{type(error).__name__}: {error}")
        raise
    output = Console(highlight=False, soft_wrap=True)
    title = f"{len(jobs)} runs in {clock(time.monotonic() - begun)}"
    summary.show(outcomes, output, title=title)
    output.print(f"compare the runs in MLflow:  {store.ui_command()}", markup=False)
    if failed:
        raise SweepEndedError(FAILED_JOBS_EXIT_CODE)
    return outcomes


def plan_jobs(
    composed: Sequence[tuple[tuple[str, ...], Settings]], console: Console
) -> list[PlannedJob]:
    """Check all jobs in a warm process and give each its digest; duplicates are run once.

    Raises:
        FrostlineError: One error for all problems of all jobs.
    """
    console.print(f"checking {len(composed)} jobs (loading PyTorch and timm takes some seconds)")
    facts = workers.call(
        check_jobs,
        [settings for _, settings in composed],
        on_event=lambda message: console.print(message["text"], markup=False),
    )
    if isinstance(facts, workers.Failure):
        raise facts.error or FrostlineError(facts.reason, todo=facts.trace)
    jobs = [
        PlannedJob(index, overrides, settings, job_digest(settings, fact))
        for index, ((overrides, settings), fact) in enumerate(zip(composed, facts, strict=True))
    ]
    unique, duplicates = merge_duplicates(jobs)
    if duplicates:
        console.print(f"{duplicates} jobs ask for what others ask for: each is run once")
    return unique


def finished_runs(store: "Store", jobs: Sequence[PlannedJob]) -> dict[str, "RunRecord"]:
    """The finished run of each job that has one, by digest."""
    wanted = {job.digest for job in jobs}
    finished = store.find_runs({"frostline.kind": "job"}, status=["FINISHED"])
    by_digest = {run.tags.get("frostline.job_digest", ""): run for run in finished}
    return {digest: run for digest, run in by_digest.items() if digest in wanted}


def _launch(
    todo: Sequence[PlannedJob],
    sweep_id: str,
    parent_run_id: str,
    make_launcher: Callable[[], Launcher],
) -> dict[str, str]:
    """Run the jobs with the configured launcher.

    Returns:
        Digest to reason, for jobs that failed.
    """
    batch = [
        [
            *job.overrides,
            f"sweep.id={sweep_id}",
            f"sweep.parent_run_id={parent_run_id}",
            f"sweep.job_digest={job.digest}",
        ]
        for job in todo
    ]
    returns: Sequence[JobReturn] = make_launcher().launch(batch, initial_job_idx=0)
    reasons = {}
    for job, result in zip(todo, returns, strict=False):
        try:
            _ = result.return_value
        except Exception as error:
            reasons[job.digest] = str(error).strip() or type(error).__name__
    return reasons


def _settle(
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


def _outcomes(
    store: "Store",
    jobs: Sequence[PlannedJob],
    sweep_id: str,
    answered: dict[str, "RunRecord"],
    failures: dict[str, str],
) -> list[summary.Outcome]:
    """How each job ended, by what MLflow holds and what the launcher returned."""
    recorded = store.find_runs({"frostline.kind": "job", "frostline.sweep_id": sweep_id})
    by_digest = {run.tags.get("frostline.job_digest", ""): run for run in recorded}
    outcomes = []
    for job in jobs:
        run = answered.get(job.digest) or by_digest.get(job.digest)
        if job.digest in answered:
            state, reason = "reused", ""
        elif job.digest in failures:
            state, reason = "failed", failures[job.digest]
        elif run is None:
            state, reason = "not run", "the sweep ended before it"
        else:
            state = "done" if run.status == "FINISHED" else "failed"
            reason = run.tags.get("frostline.failure", "") if state == "failed" else ""
        params, metrics = (dict(run.params), dict(run.metrics)) if run else ({}, {})
        outcomes.append(summary.Outcome(job.settings.run_name, state, reason, params, metrics))
    return outcomes
