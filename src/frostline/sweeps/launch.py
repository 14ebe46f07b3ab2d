"""The jobs of a plan handed to the configured launcher, and what each launcher's workers do.

Our own launcher gets the checked settings as they are. Launchers of Hydra compose a job again where
they have brought it to; the same settings are then spelled out as overrides.
"""

import logging
import multiprocessing
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from rich.console import Console

from frostline.advice.auto_strategy import launch_overrides
from frostline.config.schema import Settings, SweepSettings
from frostline.config.tune_grid import on_tuning_seed
from frostline.errors import DataChangedError
from frostline.sweeps import workers
from frostline.sweeps.execute import execute
from frostline.sweeps.first_process import FirstProcess
from frostline.sweeps.job import Job
from frostline.sweeps.launcher import IsolatedLauncher
from frostline.sweeps.outcome import INPUTS_CHANGED, Outcome
from frostline.sweeps.own_code import check_code
from frostline.sweeps.plan import PlannedJob
from frostline.sweeps.progress import SweepProgress
from frostline.sweeps.resources import Share, slot
from frostline.sweeps.sharing import sharing_of
from frostline.sweeps.worker_answer import Failure, JobFailedError

MakeLauncher = Callable[[], Launcher]
# In the sweep's folder: a file for each job that failed, which is all that jobs know of each other.
FAILED = ".failed"
# There too: a file once a job has found its inputs changed, so that no other begins.
CHANGED = ".changed"


def launch(
    todo: Sequence[PlannedJob],
    sweep_id: str,
    parent_run_id: str,
    make_launcher: MakeLauncher,
    share: Share,
    *,
    first: FirstProcess | None = None,
    until_epoch: int | None = None,
    deadline_s: float | None = None,
) -> list[Outcome]:
    """Run jobs with the configured launcher.

    Args:
        todo: The jobs that no finished run answers.
        sweep_id: Their sweep.
        parent_run_id: The sweep's run.
        make_launcher: Makes the configured launcher.
        share: What each job may take of its machine.
        first: The process that has begun for our own launcher.
        until_epoch: Epochs after which the jobs pause, in a race; None for all of theirs.
        deadline_s: When they pause at the latest, seconds since 1970; None for never.

    Returns:
        Their outcomes; a launcher may lose some.
    """
    launcher = make_launcher()
    if not isinstance(launcher, IsolatedLauncher):
        # Others may run jobs side by side: those whose cells choose first, so that no job waits.
        todo = sorted(todo, key=lambda job: on_tuning_seed(job.settings).seed != job.settings.seed)
    jobs = [
        job.settings.model_copy(
            update={
                "sweep": SweepSettings(
                    id=sweep_id,
                    parent_run_id=parent_run_id,
                    job_digest=job.digest,
                    **job.facts.inputs(),
                    numerics=job.facts.numerics,
                    tuning=job.settings.sweep.tuning,
                    label=job.settings.sweep.label,
                    slots=share.slots,
                    group=shared.group,
                    sharing=shared.jobs,
                    until_epoch=until_epoch,
                    deadline_s=deadline_s,
                    code=job.settings.own_code,
                )
            }
        )
        for job, shared in zip(todo, sharing_of(todo), strict=True)
    ]
    if isinstance(launcher, IsolatedLauncher):
        launcher.planned = jobs
        launcher.pool = None if first is None else first.pool
    batch = [
        [
            *launch_overrides(job.overrides, job.settings),
            *_sweep_overrides(settings.sweep),
            *_thread_overrides(settings, share),
            *_range_overrides(settings),
        ]
        for job, settings in zip(todo, jobs, strict=True)
    ]
    _silence_launchers()
    returns = launcher.launch(batch, initial_job_idx=0)
    return [
        outcome
        for job, result in zip(todo, returns, strict=False)
        if (outcome := _outcome_of(job, result)) is not None
    ]


def _silence_launchers() -> None:
    """Let Hydra's launchers log warnings alone: else each job's words, with all of our digests.

    With `hydra.verbose=hydra_plugins` Hydra shows them all the same.
    """
    logging.getLogger("hydra_plugins").setLevel(logging.WARNING)


def _sweep_overrides(sweep: SweepSettings) -> list[str]:
    """The overrides that compose to what a sweep hands to a job."""
    return [f"sweep.{key}={_quoted(value)}" for key, value in sweep.model_dump().items()]


def _quoted(value: object) -> str:
    match value:
        case None:
            return "null"
        case str():
            return f"'{value}'"
    return str(value)


def _thread_overrides(settings: Settings, share: Share) -> list[str]:
    if share.threads is None or settings.trainer.threads is not None:
        return []
    return [f"trainer.threads={share.threads}"]


def _range_overrides(settings: Settings) -> list[str]:
    """The range of deep images that the plan found, so that the run's config has it."""
    known = getattr(settings.data, "value_range", "auto")
    return [] if known == "auto" else [f"data.value_range=[{known[0]!r},{known[1]!r}]"]


def _outcome_of(job: PlannedJob, result: JobReturn) -> Outcome | None:
    # Not the public property: it prints the overrides of each failed job, before our own table.
    value = result._return_value
    name = job.settings.run_name
    match value:
        case Outcome():
            return value
        case JobFailedError():
            return Outcome.of_failure(job.digest, name, value.failure)
        case BaseException():
            reason = str(value).strip() or type(value).__name__
            return Outcome(job.digest, name, "failed", reason=reason)
    return None


def run_launched(settings: Settings, folder: Path, number: int, env: Mapping[str, str]) -> Outcome:
    """Run a job in a process of its own, below the worker in which a launcher of Hydra calls it.

    joblib's and Ray's workers serve many jobs; what one leaves behind, or its death, would reach
    the next.

    Args:
        settings: The job, planned by a sweep.
        folder: The job's own output folder, in the sweep's.
        number: The job's place in the sweep, from 0.
        env: Environment variables that the user set for jobs.

    Returns:
        Its outcome; `not run` if `fail_fast` others have failed.

    Raises:
        JobFailedError: If the job failed, with the reason.
        StopSignalError: If the launcher's process was asked to stop.
    """
    check_code(settings)
    # joblib's workers call themselves started by `loky`, which our processes do not know.
    multiprocessing.set_start_method("forkserver", force=True)
    failed = folder.parent / FAILED
    if settings.fail_fast is not None and _count(failed) >= settings.fail_fast:
        digest = settings.sweep.job_digest or ""
        return Outcome.not_run(digest, settings.run_name, "the sweep ended before it")
    if (folder.parent / CHANGED).exists():
        digest = settings.sweep.job_digest or ""
        return Outcome.not_run(digest, settings.run_name, INPUTS_CHANGED)
    # Several jobs write to one terminal: lines only.
    console = Console(file=sys.stderr, force_terminal=False, soft_wrap=True, highlight=False)
    progress = SweepProgress(total=None, console=console, first=number + 1)
    with slot(folder.parent, settings.sweep.slots) as gpu, progress:
        progress.start(settings.run_name)
        job = Job(settings, folder, {**env, **gpu})
        outcome = workers.call(execute, job, on_event=progress.event, env=dict(job.env))
        failure = outcome if isinstance(outcome, Failure) else None
        progress.done(failure.reason if failure else None)
    if isinstance(outcome, Failure):
        failed.mkdir(exist_ok=True)
        (failed / str(number)).touch()
        if isinstance(outcome.error, DataChangedError):
            (folder.parent / CHANGED).touch()
        raise JobFailedError(outcome)
    assert isinstance(outcome, Outcome)
    return outcome


def _count(folder: Path) -> int:
    return len(list(folder.iterdir())) if folder.is_dir() else 0
