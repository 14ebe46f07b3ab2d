"""One sweep from its composed jobs to its ending: plan, parent run, launch, table, report."""

import hashlib
import os
import sys
import time
import uuid
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from frostline.config.schema import Settings
from frostline.errors import FrostlineError, TrackingError
from frostline.sweep import parent as parents
from frostline.sweep import summary, workers
from frostline.sweep.changes import changes_since
from frostline.sweep.estimate import estimate
from frostline.sweep.job import experiment_of
from frostline.sweep.launching import MakeLauncher, launch
from frostline.sweep.outcome import Ended, finished_runs, outcomes_of, settle_failures, states_of
from frostline.sweep.plan import PlannedJob, merge_duplicates, planned, with_distinct_names
from frostline.sweep.preflight import check_jobs
from frostline.sweep.preview import job_lines, plan_lines
from frostline.sweep.progress import clock
from frostline.sweep.resources import Share
from frostline.sweep.signals import StopSignalError

if TYPE_CHECKING:
    from frostline.tracking.records import RunRecord
    from frostline.tracking.store import Store

FAILED_JOBS_EXIT_CODE = 1
Composed = Sequence[tuple[tuple[str, ...], Settings]]


class SweepEndedError(Exception):
    """A sweep that has already told the person how it ended, with the exit code to leave with."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code


def run_sweep(
    composed: Composed, *, folder: Path, make_launcher: MakeLauncher, share: Share
) -> list[summary.Outcome]:
    """Run a sweep whose jobs are composed and valid by themselves.

    Args:
        composed: Overrides and settings of the jobs that the command asks for.
        folder: The sweep's folder.
        make_launcher: Makes the configured launcher, once there is something to launch.
        share: What each job may take of its machine.

    Returns:
        How each job ended.

    Raises:
        FrostlineError: If a job asks for something impossible; nothing was started then.
        SweepEndedError: If jobs failed. The table has been printed.
        StopSignalError: If the sweep was stopped; what is finished stays finished.
    """
    begun = time.monotonic()
    console = Console(file=sys.stderr, soft_wrap=True, highlight=False)
    first = composed[0][1]
    store = _open(first) if _is_elsewhere(first) else None
    _import_store()
    jobs, duplicates = merge_duplicates(check_all(composed, console))
    store = store or _open(first)
    runs = [] if store is None else store.find_runs({"frostline.kind": "job"})
    known = [] if first.rerun else runs
    answered, states = finished_runs(jobs, known), states_of(jobs, known)
    todo = [job for job in jobs if job.digest not in answered]
    finished = [run for run in runs if run.status == "FINISHED"]
    changes = [] if first.rerun else changes_since(todo, finished)
    lines = plan_lines(jobs, states, duplicates, estimate(todo, finished), changes)
    if first.dry_run:
        lines += job_lines(jobs, states)
    console.print("\n".join(lines), markup=False)
    if first.dry_run:
        return []
    assert store is not None
    with ExitStack() as stack:
        sweep_id = _claimed_id(store, jobs, stack, always_new=first.rerun)
        plan = {"sweep_id": sweep_id, **parents.planned(jobs, answered, states)}
        outcomes = _Session(store, jobs, answered, plan).run(todo, make_launcher, share)
    if not store.offline:
        store.deliver_pending()
    output = summary.output_console()
    title = f"{len(jobs)} runs in {clock(time.monotonic() - begun)}"
    summary.show(outcomes, output, title=title)
    output.print(f"compare the runs in MLflow:  {store.ui_command()}", markup=False)
    (folder / "outcome.md").write_text(summary.markdown(outcomes))
    wanted = first.report and bool(todo) and not store.offline
    reported = not wanted or _report(first, str(plan["sweep_id"]), folder / "report", output)
    if any(not outcome.succeeded for outcome in outcomes):
        output.print(f"run what is missing with:  {parents.command_again()}", markup=False)
        raise SweepEndedError(FAILED_JOBS_EXIT_CODE)
    if not reported:
        raise SweepEndedError(FAILED_JOBS_EXIT_CODE)
    return outcomes


def _is_elsewhere(settings: Settings) -> bool:
    """Whether the store is a server, which may be away: that is told before anything else."""
    from frostline.tracking.address import resolve_address

    return resolve_address(settings.tracking.uri, Path.cwd()).database is None


def _import_store() -> None:
    """Import MLflow now, while the warm process imports PyTorch on another core."""
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401

    import frostline.tracking.store  # noqa: F401


def _open(settings: Settings) -> "Store | None":
    """The store; None where a dry run would have to make it."""
    from frostline.tracking.address import resolve_address
    from frostline.tracking.store import open_store

    tracking = settings.tracking
    database = resolve_address(tracking.uri, Path.cwd()).database
    if settings.dry_run and database is not None and not database.exists():
        return None
    return open_store(tracking.uri, experiment_of(settings), offline=tracking.offline)


def _claimed_id(
    store: "Store", jobs: Sequence[PlannedJob], stack: ExitStack, *, always_new: bool
) -> str:
    """The id of this sweep: the same jobs have the same id, unless they run elsewhere just now."""
    digests = "".join(sorted(job.digest for job in jobs))
    sweep_id = hashlib.sha256(digests.encode()).hexdigest()[:12]
    owner = None if always_new else store.claim(f"sweep-{sweep_id}", wait_s=0)
    if owner is None:
        return f"{sweep_id}-{uuid.uuid4().hex[:6]}"
    stack.enter_context(owner)
    return sweep_id


def check_all(composed: Composed, console: Console) -> list[PlannedJob]:
    """Check all jobs in a warm process and give each its digest.

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
    return with_distinct_names(
        [
            planned(index, overrides, settings, fact)
            for index, ((overrides, settings), fact) in enumerate(zip(composed, facts, strict=True))
        ]
    )


def _report(settings: Settings, sweep_id: str, folder: Path, output: Console) -> bool:
    """Write the report in a warm process of its own, and say where it is or why there is none.

    Returns:
        Whether it was written; the runs keep their states either way.
    """
    page = workers.call(report_of, settings, sweep_id, folder)
    if isinstance(page, workers.Failure):
        output.print(f"FAILED  the report: {page.reason}", markup=False)
        again = f"python -m src.report --sweep {sweep_id}"
        output.print(f"the runs are whole; write it with:  {again}", markup=False)
        return False
    output.print(f"report with intervals and the verdict:  {os.path.relpath(page)}", markup=False)
    return True


def report_of(settings: Settings, sweep_id: str, folder: Path) -> str:
    """Write a sweep's report and log it on the sweep's run.

    Returns:
        Where the page is.
    """
    from frostline.commands.report import write_report
    from frostline.tracking.store import open_store

    store = open_store(settings.tracking.uri, experiment_of(settings))
    return str(write_report(store, sweep_id, folder))


class _Session:
    """The part of a sweep that has a run of its own in MLflow.

    Args:
        store: The store.
        jobs: All jobs.
        answered: Runs that answer a job already, by digest.
        plan: The plan as plain values.
    """

    def __init__(
        self,
        store: "Store",
        jobs: Sequence[PlannedJob],
        answered: "dict[str, RunRecord]",
        plan: dict[str, Any],
    ) -> None:
        self._store = store
        self._jobs = jobs
        self._answered = answered
        self._plan = plan

    def run(
        self, todo: Sequence[PlannedJob], make_launcher: MakeLauncher, share: Share
    ) -> list[summary.Outcome]:
        """Launch under a parent run, which gets an end state whatever happens."""
        sweep_id = str(self._plan["sweep_id"])
        key = {"frostline.kind": "sweep", "frostline.sweep_id": sweep_id}
        if not todo and any(run.status == "FINISHED" for run in self._store.find_runs(key)):
            return outcomes_of(self._store, self._jobs, self._answered, Ended())
        begun = time.monotonic()
        parent = parents.open_parent(self._store, sweep_id)
        ended = Ended()
        try:
            parent.log_dict(self._plan, parents.PLAN)
            if todo:
                ended = launch(todo, sweep_id, parent.run_id, make_launcher, share)
                settle_failures(self._store, todo, sweep_id, parent.run_id, ended)
            outcomes = outcomes_of(self._store, self._jobs, self._answered, ended)
            parents.record_outcome(parent, self._plan, outcomes, time.monotonic() - begun)
        except StopSignalError as stop:
            workers.end_descendants()
            with suppress(TrackingError):
                self._store.reap({"frostline.kind": "job", "frostline.sweep_id": sweep_id})
            parent.finish("KILLED", f"stopped by signal {stop.signum}")
            raise
        except BaseException as error:
            parent.finish("FAILED", f"{type(error).__name__}: {error}")
            raise
        bad = sum(not outcome.succeeded for outcome in outcomes)
        reason = f"{bad} of {len(outcomes)} jobs have no result" if bad else ""
        parent.finish("FAILED" if bad else "FINISHED", reason)
        return outcomes
