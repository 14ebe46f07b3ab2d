"""Our launcher: jobs in turn, in warm processes apart from this one and from jobs that fail."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from frostline.config.read import settings_of
from frostline.config.schema import Settings
from frostline.sweeps.execute import execute
from frostline.sweeps.execute_group import execute_group
from frostline.sweeps.hydra_files import save_hydra_files
from frostline.sweeps.job import Job
from frostline.sweeps.outcome import INPUTS_CHANGED, Outcome
from frostline.sweeps.progress import SweepProgress
from frostline.sweeps.worker_answer import Failure
from frostline.sweeps.worker_pool import WorkerPool, process_order
from frostline.training.deadline import is_past

_NUMBERED = "${hydra.job.num}"
_MAX_NAMED = 3


class IsolatedLauncher(Launcher):
    """Runs jobs in turn, in processes that end with a job that fails: see sweep.worker_pool.

    Jobs that only train heads on the same frozen backbone train together: see sweep.execute_group.

    Args:
        jobs_per_process: How many jobs that are alike a process carries out; None for any number.
    """

    def __init__(self, jobs_per_process: int | None = None) -> None:
        self._jobs_per_process = jobs_per_process

    def setup(
        self,
        *,
        hydra_context: HydraContext,
        task_function: TaskFunction,  # noqa: ARG002
        config: DictConfig,
    ) -> None:
        """Keep what Hydra gives; jobs are executed by our own function, without Hydra."""
        self.context = hydra_context
        self.master = config
        # What the sweep has composed already, in the order of the jobs: composing takes longer
        # than training a small head does.
        self.planned: Sequence[Settings] | None = None
        # The sweep's own processes, one of which may have begun while the jobs were checked.
        self.pool: WorkerPool | None = None

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run the jobs; a failed one does not stop the others. Each value is an `Outcome`."""
        jobs = [
            self._prepare(index, overrides)
            for index, overrides in enumerate(job_overrides, start=initial_job_idx)
        ]
        with SweepProgress(total=len(jobs)) as progress:
            pool = self.pool or WorkerPool(self._jobs_per_process)
            outcomes = run_all(jobs, progress, pool)
        return [
            _job_return(list(overrides), job, outcome)
            for overrides, job, outcome in zip(job_overrides, jobs, outcomes, strict=True)
        ]

    def _prepare(self, index: int, overrides: Sequence[str]) -> Job:
        sweep = OmegaConf.to_container(self.master.hydra.sweep, resolve=False)
        assert isinstance(sweep, dict)
        if self.planned is not None and sweep["subdir"] == _NUMBERED:
            settings = self.planned[index]
            folder = Path(self.master.hydra.sweep.dir) / str(index)
            save_hydra_files(settings.model_dump(mode="json"), list(overrides), folder)
            return Job(settings, folder, environment_of(self.master.hydra))
        config = self._compose(index, overrides)
        folder = Path(config.hydra.sweep.dir) / str(config.hydra.sweep.subdir)
        own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
        words = config.hydra.overrides.task
        save_hydra_files(OmegaConf.to_container(own), OmegaConf.to_container(words), folder)
        return Job(settings_of(config), folder, environment_of(config.hydra))

    def _compose(self, index: int, overrides: Sequence[str]) -> DictConfig:
        config = self.context.config_loader.load_sweep_config(self.master, list(overrides))
        with open_dict(config):
            config.hydra.job.id = str(index)
            config.hydra.job.num = index
        return config


def environment_of(hydra: Any) -> dict[str, str]:
    """The environment variables that the user set for jobs as hydra.job.env_set."""
    return {str(key): str(value) for key, value in (hydra.job.env_set or {}).items()}


def run_all(jobs: Sequence[Job], progress: SweepProgress, pool: WorkerPool) -> list[Outcome]:
    """Run jobs in turn, similar ones after each other, a group when its first job comes.

    It stops early where `fail_fast` says so.

    Args:
        jobs: The jobs, their settings with the group that each may be trained with.
        progress: Shows how they go.
        pool: Their processes; none is left at the end.

    Returns:
        The outcome of each job, in their order.
    """
    groups: dict[str, list[int]] = {}
    for place, job in enumerate(jobs):
        if job.settings.sweep.group is not None:
            groups.setdefault(job.settings.sweep.group, []).append(place)
    outcomes: dict[int, Outcome] = {}
    with pool:
        for place in _order(jobs):
            job = jobs[place]
            if is_past(job.settings.sweep.deadline_s):
                break
            group = groups.pop(job.settings.sweep.group or "", None)
            if group is not None:
                together = _run_group([jobs[each] for each in group], pool, progress)
                outcomes |= {
                    each: outcome
                    for each, outcome in zip(group, together, strict=True)
                    if outcome is not None
                }
            if place not in outcomes:
                outcomes[place] = _run_one(job, pool, progress)
            if any(outcome.stops_sweep for outcome in outcomes.values()):
                break
            failed = sum(outcome.state == "failed" for outcome in outcomes.values())
            if job.settings.fail_fast is not None and failed >= job.settings.fail_fast:
                break
    if jobs and is_past(jobs[-1].settings.sweep.deadline_s):
        rest = {
            place: Outcome.left(job.digest, job.settings.run_name) for place, job in enumerate(jobs)
        }
        outcomes = rest | outcomes
    has_changed = any(outcome.stops_sweep for outcome in outcomes.values())
    why = INPUTS_CHANGED if has_changed else "the sweep ended before it"
    return [
        outcomes[place]
        if place in outcomes
        else Outcome.not_run(job.digest, job.settings.run_name, why)
        for place, job in enumerate(jobs)
    ]


def _order(jobs: Sequence[Job]) -> Sequence[int]:
    """In which order jobs run: those that can share a process follow each other.

    A race puts the most informative jobs first, and under a budget the last ones may never run.
    """
    first = jobs[0].settings.sweep if jobs else None
    if first is None or first.deadline_s is not None or first.until_epoch is not None:
        return range(len(jobs))
    return process_order([job.settings for job in jobs])


def _run_one(job: Job, pool: WorkerPool, progress: SweepProgress) -> Outcome:
    progress.start(job.settings.run_name)
    worker = pool.worker_for(job.settings, job.env)
    outcome = _as_outcome(job, worker.call(execute, job, on_event=progress.event))
    progress.done(None if outcome.state == "paused" else outcome.reason or None)
    return outcome


def _run_group(
    jobs: Sequence[Job], pool: WorkerPool, progress: SweepProgress
) -> list[Outcome | None]:
    """Run a group, in the process of the jobs around it; None for each that has to run by itself.

    So the memory that the process has kept is the group's, too.
    """
    more = f" and {len(jobs) - 1} more, heads together" if len(jobs) > 1 else ""
    progress.start(f"{jobs[0].settings.run_name}{more}", count=len(jobs))
    worker = pool.worker_for(jobs[0].settings, jobs[0].env)
    result = worker.call(execute_group, list(jobs), on_event=progress.event)
    if isinstance(result, Failure):  # killed: the next call resumes all of them
        result = [result] * len(jobs)
    outcomes = [
        None if each is None else _as_outcome(job, each)
        for job, each in zip(jobs, result, strict=True)
    ]
    failure = _failed_heads([each for each in outcomes if each is not None])
    if failure is not None or None in outcomes:
        pool.end()  # whatever an error left behind ends with its process
    progress.done(failure, left=outcomes.count(None))
    return outcomes


def _failed_heads(outcomes: Sequence[Outcome]) -> str | None:
    """Which heads of a group failed, and why the first of them did; None if none has."""
    failed = [each for each in outcomes if each.state == "failed"]
    if not failed:
        return None
    names = ", ".join(each.name for each in failed[:_MAX_NAMED])
    more = f" and {len(failed) - _MAX_NAMED} more" if len(failed) > _MAX_NAMED else ""
    return f"{len(failed)} of {len(outcomes)} heads, {names}{more}: {failed[0].reason}"


def _as_outcome(job: Job, result: Outcome | Failure) -> Outcome:
    if isinstance(result, Failure):
        return Outcome.of_failure(job.digest, job.settings.run_name, result)
    return result


def _job_return(overrides: list[str], job: Job, outcome: Outcome) -> JobReturn:
    states = {"failed": JobStatus.FAILED, "not run": JobStatus.UNKNOWN}
    result = JobReturn(overrides=overrides, working_dir=os.fspath(job.folder))
    result.status = states.get(outcome.state, JobStatus.COMPLETED)
    result.return_value = outcome
    return result
