"""A group of jobs that only train heads on the same frozen backbone, carried out together."""

import traceback
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from frostline.config.tune_grid import is_tuned
from frostline.errors import FrostlineError
from frostline.sweeps.job import Job, OnProgress, record_training, work_folder
from frostline.sweeps.job_end import ending, outcome_of, read_outcome, reason_of
from frostline.sweeps.job_record import describe, open_run
from frostline.sweeps.job_runs import find_all_runs, find_finished, open_job_store, runs_of
from frostline.sweeps.outcome import Outcome
from frostline.sweeps.signals import StopSignalError
from frostline.sweeps.tuned_job import known_choices, save_choices
from frostline.sweeps.worker_answer import Failure

if TYPE_CHECKING:
    from frostline.tracking.records import RunRecord
    from frostline.tracking.store import Store
    from frostline.tracking.tracked_run import Run
    from frostline.training.recorder import TrainedRun


def execute_group(jobs: Sequence[Job], *, on_progress: OnProgress) -> list[Outcome | None]:
    """Carry out jobs of one `group_key` together; each keeps its own run, record and end.

    Args:
        jobs: The jobs.
        on_progress: Receives progress (see frostline.sweeps.progress).

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
            run, resumed = open_run(store, settings, runs, work=None)
            describe(store, run, settings, resumed=resumed)
            members.append((place, run))
        if members:
            trained = _train_group(store, jobs, members, on_progress)
            outcomes = [trained.get(place, outcome) for place, outcome in enumerate(outcomes)]
    return outcomes


def _claim(store: "Store", job: Job, owned: ExitStack) -> bool:
    """Own a job until the stack is closed, unless it has a checkpoint or another owner."""
    if any(work_folder(store, job).glob("last-*.ckpt")):
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
                with ending(run), run.held():
                    recorder = RunRecorder(run, job.folder)
                    trained = group.finish(number, job.folder, recorder)
                    record_training(trained, job.settings, job.folder, recorder, on_progress)
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
    """The run has it now, as that of a job by itself."""
    from frostline.training.checkpoint import digest_path

    for file in (trained.checkpoint, digest_path(trained.checkpoint)):
        file.unlink()
