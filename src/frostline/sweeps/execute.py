"""The executor: a job becomes its outcome, in this process, under its own run in MLflow.

Every launcher ends here; they differ in who calls it and where. Checkpoints of a job lie in a
folder named by its digest until it is finished, so that the next command that asks for the
same job resumes it in the same run.
"""

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from frostline.config.schema import Settings
from frostline.config.tune_grid import is_tuned
from frostline.errors import DataChangedError
from frostline.sweeps.distributed_run import on_all_ranks
from frostline.sweeps.execute_group import execute_group
from frostline.sweeps.failures import after_training, within_memory
from frostline.sweeps.job import Job, OnProgress, record_training, work_folder
from frostline.sweeps.job_end import JobError, ending, outcome_of, read_outcome
from frostline.sweeps.job_record import describe, open_run
from frostline.sweeps.job_runs import find_finished, find_runs, open_job_store
from frostline.sweeps.outcome import NEXT_ROUND, Outcome
from frostline.sweeps.tuned_job import make_ready
from frostline.tracking.system_metrics import system_metrics
from frostline.training.deadline import is_past

if TYPE_CHECKING:
    from frostline.locks import OwnerLock
    from frostline.tracking.store import Store
    from frostline.tracking.tracked_run import Run
    from frostline.training.recorder import TrainedRun


def execute(job: Job, *, on_progress: OnProgress) -> Outcome:
    """Carry out one job, resume it, or take the result of an identical finished run.

    Args:
        job: The job.
        on_progress: Receives progress (see frostline.sweeps.progress).

    Returns:
        Its outcome, `done` or `reused`; in a race `paused`, or `left` once the budget is spent.

    Raises:
        Exception: Whatever ended the job, after its run was marked FAILED.
        StopSignalError: If the process was asked to stop, after the run was marked KILLED.
    """
    settings = job.settings
    if is_tuned(settings) and settings.sweep.group is not None:
        # Its whole grid is one group of heads, also where a launcher brought the job by itself.
        (together,) = execute_group([job], on_progress=on_progress)
        if together is None:
            # Another process has it. Should that one die, this one goes on, the same way.
            with _claim_waiting(open_job_store(settings), job, on_progress):
                pass
            (together,) = execute_group([job], on_progress=on_progress)
        if together is not None:
            return raise_failed(together)
    store = open_job_store(settings)
    with _claim_waiting(store, job, on_progress):
        runs = [] if settings.rerun else find_runs(store, settings)
        finished = find_finished(runs)
        if finished is not None:
            return outcome_of(finished, settings, "reused")
        if is_past(settings.sweep.deadline_s):
            return Outcome.left(job.digest, settings.run_name)
        work = work_folder(store, job)
        run, resumed = open_run(store, settings, runs, work)
        if resumed:
            on_progress(text="goes on where it was interrupted")
        else:
            shutil.rmtree(work, ignore_errors=True)
        trained: TrainedRun | None = None
        with ExitStack() as leaving, ending(run) as end:
            describe(store, run, settings, resumed=resumed)
            if settings.tracking.system_metrics:
                leaving.enter_context(system_metrics(run.run_id, settings.tracking.uri))
            with run.held():
                trained = _train(store, job, work, run, on_progress, leaving, resumed=resumed)
            if trained is None:
                end.waits = NEXT_ROUND
        if trained is None:
            return Outcome.paused(job.digest, run.name, run.run_id, end.waits)
        for folder in (work, trained.checkpoint.parent):
            shutil.rmtree(folder, ignore_errors=True)
        return read_outcome(store, run, settings, trained.metrics)


def raise_failed(outcome: Outcome) -> Outcome:
    """An outcome that is no failure.

    Raises:
        JobError: If it is one.
        DataChangedError: If its inputs have changed, which ends the sweep as well.
    """
    if outcome.stops_sweep:
        raise DataChangedError(outcome.reason)
    if outcome.state == "failed":
        raise JobError(outcome.reason)
    return outcome


def _train(
    store: "Store",
    job: Job,
    work: Path,
    run: "Run",
    on_progress: OnProgress,
    leaving: ExitStack,
    *,
    resumed: bool,
) -> "TrainedRun | None":
    """Train under a run that is open, with half the batch if memory ran out and that was asked.

    Args:
        store: Where the run is recorded.
        job: The job.
        work: Where its checkpoints lie.
        run: Its run.
        on_progress: Receives progress.
        leaving: Left when the run has its end state: by an error, a checkpoint is written first.
        resumed: Whether the run was begun before.

    Returns:
        None for a run that pauses, as a race asks.
    """
    from frostline.training.recorder import RunRecorder
    from frostline.training.run import train_run
    from frostline.training.rung import Rung

    def note_out_of_memory(text: str) -> None:
        run.set_tags({"frostline.on_oom": text})
        on_progress(text=text)

    def attempt(settings: Settings) -> "TrainedRun | None":
        recorder = RunRecorder(run, job.folder)
        ready = make_ready(
            store, settings, job.folder, work, run, recorder, on_progress, resumed=resumed
        )
        if ready.first_look is not None:
            recorder.record_rung(ready.first_look)
        if ready.waits:
            return None
        trained = on_all_ranks(
            ready.settings,
            ready.work,
            run,
            lambda own: train_run(own, job.folder, ready.work, recorder, on_progress),
        )
        if isinstance(trained, Rung):
            recorder.record_rung(trained)
            return None
        trained = replace(trained, metrics=ready.with_times(trained.metrics))
        leaving.push(_keeping(trained))
        with after_training():
            record_training(trained, ready.settings, job.folder, recorder, on_progress)
        return trained

    return within_memory(job.settings, attempt, note=note_out_of_memory)


def _keeping(trained: "TrainedRun") -> Callable[..., None]:
    """What leaves a context by an error with the run's newest checkpoint written."""

    def leave(kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            trained.keep()

    return leave


def _claim_waiting(store: "Store", job: Job, on_progress: OnProgress) -> "OwnerLock":
    """Own a job, once no other process does."""
    owner = store.claim(
        job.lock_key, on_wait=lambda who: on_progress(text=f"waiting for {who}, same job")
    )
    assert owner is not None
    return owner
