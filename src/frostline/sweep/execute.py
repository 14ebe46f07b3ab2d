"""The executor: a job becomes its outcome, in this process, under its own run in MLflow.

Every launcher ends here; they differ in who calls it and where. Checkpoints of a job lie in a
folder named by its digest until it is finished, so that the next command that asks for the
same job resumes it in the same run.
"""

import shutil
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from frostline.config.schema import Settings
from frostline.config.tune_grid import is_tuned
from frostline.errors import DataChangedError, FrostlineError
from frostline.sweep.distributed_run import on_all_ranks
from frostline.sweep.failures import within_memory
from frostline.sweep.job_record import (
    JobError,
    describe,
    ending,
    find_all_runs,
    find_finished,
    find_runs,
    open_job_store,
    open_run,
    outcome_of,
    read_outcome,
    reason_of,
    runs_of,
)
from frostline.sweep.outcome import Outcome
from frostline.sweep.signals import StopSignalError
from frostline.sweep.tuned_job import known_choices, make_ready, save_choices
from frostline.sweep.workers import Failure

if TYPE_CHECKING:
    from frostline.locks import OwnerLock
    from frostline.tracking.records import RunRecord
    from frostline.tracking.store import Store
    from frostline.tracking.tracked_run import Run
    from frostline.training.recorder import RunRecorder, TrainedRun

OnProgress = Callable[..., None]


@dataclass(frozen=True)
class Job:
    """One training that a command asks for.

    Attributes:
        settings: All that determines it; `sweep.job_digest` is set.
        folder: Its own output folder.
        env: Environment variables for its process.
    """

    settings: Settings
    folder: Path
    env: Mapping[str, str]

    @property
    def digest(self) -> str:
        """What it is known by."""
        digest = self.settings.sweep.job_digest
        assert digest is not None
        return digest

    @property
    def lock_key(self) -> str:
        """The name under which one process at a time carries it out."""
        return self.digest[:32]


def execute(job: Job, *, on_progress: OnProgress) -> Outcome:
    """Carry out one job, resume it, or take the result of an identical finished run.

    Args:
        job: The job.
        on_progress: Receives progress (see frostline.sweep.progress).

    Returns:
        Its outcome, `done` or `reused`.

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
        work = _work_folder(store, job)
        run, resumed = open_run(store, settings, runs)
        if resumed:
            on_progress(text="goes on where it was interrupted")
        else:
            shutil.rmtree(work, ignore_errors=True)
        with ending(run):
            describe(run, settings, is_new=not resumed)
            trained = _train(store, job, work, run, on_progress, resumed=resumed)
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


def _work_folder(store: "Store", job: Job) -> Path:
    return store.address.state_dir / "jobs" / job.lock_key


def _train(
    store: "Store", job: Job, work: Path, run: "Run", on_progress: OnProgress, *, resumed: bool
) -> "TrainedRun":
    """Train under a run that is open, with half the batch if memory ran out and that was asked."""
    from frostline.training.recorder import RunRecorder
    from frostline.training.run import train_run

    def note_out_of_memory(text: str) -> None:
        run.set_tags({"frostline.on_oom": text})
        on_progress(text=text)

    def attempt(settings: Settings) -> "TrainedRun":
        recorder = RunRecorder(run, job.folder)
        ready = make_ready(
            store, settings, job.folder, work, run, recorder, on_progress, resumed=resumed
        )
        trained = on_all_ranks(
            ready.settings,
            ready.work,
            run,
            lambda own: train_run(own, job.folder, ready.work, recorder, on_progress),
        )
        trained = replace(trained, metrics=ready.with_times(trained.metrics))
        _record(trained, ready.settings, job.folder, recorder, on_progress)
        return trained

    return within_memory(job.settings, attempt, note=note_out_of_memory)


def _record(
    trained: "TrainedRun",
    settings: Settings,
    folder: Path,
    recorder: "RunRecorder",
    on_progress: OnProgress,
) -> None:
    """Record what a training came to, and the evidence of it."""
    from frostline.inference.explain.evidence import write_run_evidence

    recorder.record_result(trained)
    evidence = folder / "evidence"
    metrics = write_run_evidence(
        settings.evidence.name, evidence, trained, pool=settings.head.pool, on_progress=on_progress
    )
    recorder.record_evidence(metrics, evidence, trained)


def execute_group(jobs: Sequence[Job], *, on_progress: OnProgress) -> list[Outcome | None]:
    """Carry out jobs of one `group_key` together; each keeps its own run, record and end.

    Args:
        jobs: The jobs.
        on_progress: Receives progress (see frostline.sweep.progress).

    Returns:
        For each job its outcome, `failed` among them, or None where it has to be executed by
        itself: another process works on it, it has a checkpoint to resume from, or the group as a
        whole was refused.

    Raises:
        StopSignalError: If the process was asked to stop, after open runs were marked KILLED.
    """
    store = open_job_store(jobs[0].settings)
    outcomes: list[Outcome | None] = [None] * len(jobs)
    with ExitStack() as owned:
        free = [place for place, job in enumerate(jobs) if _claim(store, job, owned)]
        known = _known_runs(store, jobs)
        members: list[tuple[int, Run]] = []
        for place in free:
            settings = jobs[place].settings
            runs = runs_of(settings, known.get(jobs[place].digest, []))
            finished = find_finished(runs)
            if finished is not None:
                outcomes[place] = outcome_of(finished, settings, "reused")
                continue
            run, resumed = open_run(store, settings, runs)
            describe(run, settings, is_new=not resumed)
            members.append((place, run))
        if members:
            trained = _train_group(store, jobs, members, on_progress)
            outcomes = [trained.get(place, outcome) for place, outcome in enumerate(outcomes)]
    return outcomes


def _claim_waiting(store: "Store", job: Job, on_progress: OnProgress) -> "OwnerLock":
    """Own a job, once no other process does."""
    owner = store.claim(
        job.lock_key, on_wait=lambda who: on_progress(text=f"waiting for {who}, same job")
    )
    assert owner is not None
    return owner


def _claim(store: "Store", job: Job, owned: ExitStack) -> bool:
    """Own a job until the stack is closed, unless it has a checkpoint or another owner."""
    if any(_work_folder(store, job).glob("last-*.ckpt")):
        return False
    owner = store.claim(job.lock_key, wait_s=0)
    if owner is None:
        return False
    owned.enter_context(owner)
    return True


def _known_runs(store: "Store", jobs: Sequence[Job]) -> "dict[str, list[RunRecord]]":
    """Job digest to the runs so far; one query, since MLflow takes as long for one job's runs."""
    known: dict[str, list[RunRecord]] = {}
    if not jobs[0].settings.rerun:
        for run in find_all_runs(store):
            known.setdefault(run.tags.get("frostline.job_digest", ""), []).append(run)
    return known


def _train_group(
    store: "Store",
    jobs: Sequence[Job],
    members: "Sequence[tuple[int, Run]]",
    on_progress: OnProgress,
) -> dict[int, Outcome]:
    """Train, record, and give every run an end state; place to outcome."""
    from frostline.training.head_group import train_head_group
    from frostline.training.recorder import RunRecorder

    open_runs = dict(members)
    outcomes: dict[int, Outcome] = {}
    try:
        try:
            settings = [jobs[place].settings for place in open_runs]
            group = train_head_group(
                settings, known_choices(store, settings), on_progress=on_progress
            )
            save_choices(store, settings, group)
        except Exception as error:
            reason = reason_of(error)
            if len(jobs) == 1 and is_tuned(jobs[0].settings):
                # Judged early instead, its candidates might come to another choice.
                (run,) = open_runs.values()
                run.finish("FAILED", reason)
                return {members[0][0]: _failed(jobs[0], error)}
            # By itself each job either works or fails with a reason of its own.
            for run in open_runs.values():
                run.finish("KILLED", f"not trained with others: {reason}")
            on_progress(text=f"these jobs run one by one: {reason}")
            return {}
        for number, (place, run) in enumerate(members):
            job = jobs[place]
            del open_runs[place]
            try:
                with ending(run):
                    recorder = RunRecorder(run, job.folder)
                    trained = group.finish(number, job.folder, recorder)
                    _record(trained, job.settings, job.folder, recorder, on_progress)
                    _remove_checkpoint(trained)
            except Exception as error:
                outcomes[place] = _failed(job, error)
            else:
                outcomes[place] = read_outcome(store, run, job.settings, trained.metrics)
    except StopSignalError as stop:
        for run in open_runs.values():
            run.finish("KILLED", f"stopped by {stop.name}")
        raise
    return outcomes


def _failed(job: Job, error: Exception) -> Outcome:
    """The outcome of a job that an error ended."""
    known = error if isinstance(error, FrostlineError) else None
    failure = Failure(reason_of(error), traceback.format_exc(), known)
    return Outcome.of_failure(job.digest, job.settings.run_name, failure)


def _remove_checkpoint(trained: "TrainedRun") -> None:
    """It lies with the run now, as that of a job by itself does."""
    from frostline.training.checkpoint import digest_path

    for file in (trained.checkpoint, digest_path(trained.checkpoint)):
        file.unlink()
