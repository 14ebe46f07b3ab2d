"""One sweep from its composed jobs to its ending: plan, parent run, launch, table, report."""

import hashlib
import shlex
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from rich.console import Console

from src.config.schema import Settings
from src.errors import FrostlineError
from src.sweep import summary, workers
from src.sweep.job import experiment_of
from src.sweep.outcome import finished_runs, outcomes_of, settle_failures
from src.sweep.plan import PlannedJob, job_digest, merge_duplicates
from src.sweep.preflight import check_jobs
from src.sweep.progress import clock

if TYPE_CHECKING:
    from src.tracking.run import Run
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
    folder: Path,
    make_launcher: Callable[[], Launcher],
) -> list[summary.Outcome]:
    """Run a sweep whose jobs are composed and valid by themselves.

    Args:
        composed: Overrides and settings of the jobs that the command asks for.
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

    from src.tracking.store import open_store

    store = open_store(first.tracking.uri, experiment_of(first), offline=first.tracking.offline)
    answered = {} if first.rerun else finished_runs(store, jobs)
    todo = [job for job in jobs if job.digest not in answered]
    console.print(f"{len(jobs)} jobs, {len(answered)} of them finished already")
    if first.dry_run:
        for job in jobs:
            state = "finished" if job.digest in answered else "to run"
            console.print(f"  {job.settings.run_name}  {state}", markup=False)
        return []
    with ExitStack() as stack:
        sweep_id = _claimed_id(store, jobs, stack, always_new=first.rerun)
        failures: dict[str, str] = {}
        if todo:
            failures = _run_jobs(store, todo, sweep_id, make_launcher, console)
        outcomes = outcomes_of(store, jobs, answered, failures)
    output = summary.output_console()
    title = f"{len(jobs)} runs in {clock(time.monotonic() - begun)}"
    summary.show(outcomes, output, title=title)
    output.print(f"compare the runs in MLflow:  {store.ui_command()}", markup=False)
    (folder / "outcome.md").write_text(summary.markdown(outcomes))
    if any(not outcome.succeeded for outcome in outcomes):
        raise SweepEndedError(FAILED_JOBS_EXIT_CODE)
    return outcomes


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


def _run_jobs(
    store: "Store",
    todo: Sequence[PlannedJob],
    sweep_id: str,
    make_launcher: Callable[[], Launcher],
    console: Console,
) -> dict[str, str]:
    """Launch under a parent run, which gets an end state whatever happens.

    Returns:
        Digest to reason, for jobs that failed.
    """
    parent = _parent(store, sweep_id)
    try:
        failures = _launch(todo, sweep_id, parent.run_id, make_launcher)
        settle_failures(store, todo, sweep_id, parent.run_id, failures)
    except workers.StopSignalError:
        parent.finish("KILLED", "stopped by a signal")
        console.print(f"stopped; go on with:  python -m src.train {_command()}", markup=False)
        raise
    except BaseException as error:
        parent.finish("FAILED", f"{type(error).__name__}: {error}")
        raise
    reason = f"{len(failures)} of {len(todo)} jobs failed" if failures else ""
    parent.finish("FAILED" if failures else "FINISHED", reason)
    return failures


def _parent(store: "Store", sweep_id: str) -> "Run":
    """The sweep's run: the one that was begun before, or a new one."""
    key = {"frostline.kind": "sweep", "frostline.sweep_id": sweep_id}
    earlier = store.find_runs(key)
    if earlier:
        return store.resume_run(earlier[0].run_id)
    note = {"mlflow.note.content": f"`python -m src.train {_command()}`"}
    return store.start_run(f"sweep-{sweep_id}", key | note)


def _command() -> str:
    return shlex.join(sys.argv[1:])


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
