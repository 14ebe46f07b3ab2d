"""Our launcher: jobs in turn, in warm processes apart from this one and from jobs that fail."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from frostline.config.composed import settings_of
from frostline.config.schema import Settings
from frostline.sweep import workers
from frostline.sweep.grouped import run_group
from frostline.sweep.job import run_job
from frostline.sweep.progress import SweepProgress
from frostline.sweep.worker_pool import Bench

_NOT_YET = object()
_NUMBERED = "${hydra.job.num}"


@dataclass
class PreparedJob:
    """One job and what came of it.

    Attributes:
        overrides: What Hydra composed it from.
        settings: All that determines it.
        folder: Its output folder.
        env: Environment variables for its process.
        answer: What `run_job` returned, or a failure.
    """

    overrides: Sequence[str]
    settings: Settings
    folder: Path
    env: dict[str, str]
    answer: Any = _NOT_YET

    @property
    def group(self) -> str | None:
        """The group that it may be trained with."""
        return self.settings.sweep.group


class IsolatedLauncher(Launcher):
    """Runs jobs in turn, in processes that end with a job that fails: see frostline.sweep.worker_pool.

    Jobs that only train heads on the same frozen backbone train together: see frostline.sweep.grouped.

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
        """Keep what Hydra gives; the jobs' function is ours, since it runs without Hydra."""
        self.context = hydra_context
        self.master = config
        # What the sweep has composed already, in the order of the jobs: composing takes longer
        # than training a small head does.
        self.planned: Sequence[Settings] | None = None

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run the jobs; a failed one is returned with its failure and does not stop the others."""
        jobs = [
            self._prepared(index, overrides)
            for index, overrides in enumerate(job_overrides, start=initial_job_idx)
        ]
        with SweepProgress(total=len(jobs)) as progress:
            run_all(jobs, progress, jobs_per_process=self._jobs_per_process)
        return [_job_return(job) for job in jobs]

    def _prepared(self, index: int, overrides: Sequence[str]) -> PreparedJob:
        sweep = OmegaConf.to_container(self.master.hydra.sweep, resolve=False)
        assert isinstance(sweep, dict)
        if self.planned is not None and sweep["subdir"] == _NUMBERED:
            settings = self.planned[index]
            folder = Path(self.master.hydra.sweep.dir) / str(index)
            values = OmegaConf.create(settings.model_dump(mode="json"))
            _save_config(values, OmegaConf.create(list(overrides)), folder)
            return PreparedJob(overrides, settings, folder, environment_of(self.master.hydra))
        config = self._composed(index, overrides)
        folder = Path(config.hydra.sweep.dir) / str(config.hydra.sweep.subdir)
        own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
        _save_config(own, config.hydra.overrides.task, folder)
        return PreparedJob(overrides, settings_of(config), folder, environment_of(config.hydra))

    def _composed(self, index: int, overrides: Sequence[str]) -> DictConfig:
        config = self.context.config_loader.load_sweep_config(self.master, list(overrides))
        with open_dict(config):
            config.hydra.job.id = str(index)
            config.hydra.job.num = index
        return config


def environment_of(hydra: Any) -> dict[str, str]:
    """What the person set as hydra.job.env_set, and how the job was started."""
    return {str(key): str(value) for key, value in (hydra.job.env_set or {}).items()}


def _save_config(own: Any, overrides: Any, folder: Path) -> None:
    """Leave the composed config where Hydra's users look for it."""
    place = folder / ".hydra"
    place.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(own, place / "config.yaml")
    OmegaConf.save(overrides, place / "overrides.yaml")


def run_all(
    jobs: Sequence[PreparedJob], progress: SweepProgress, *, jobs_per_process: int | None = None
) -> None:
    """Run jobs in turn, a group when the first of it comes; stop early where that was asked for."""
    groups: dict[str, list[PreparedJob]] = {}
    for job in jobs:
        if job.group is not None:
            groups.setdefault(job.group, []).append(job)
    with Bench(jobs_per_process) as bench:
        for job in jobs:
            if job.group in groups:
                bench.end()  # it keeps its memory, which the group may need
                _run_together(groups.pop(job.group), progress)
            if job.answer is _NOT_YET:
                _run_alone(job, bench.worker_for(job.settings, job.env), progress)
            failed = sum(isinstance(each.answer, workers.Failure) for each in jobs)
            if job.settings.fail_fast is not None and failed >= job.settings.fail_fast:
                break


def _run_alone(job: PreparedJob, worker: workers.Worker, progress: SweepProgress) -> None:
    progress.start(job.settings.run_name)
    job.answer = worker.call(run_job, job.settings, job.folder, on_event=progress.event)
    failed = isinstance(job.answer, workers.Failure)
    progress.done(job.answer.reason if failed else None)


def _run_together(jobs: Sequence[PreparedJob], progress: SweepProgress) -> None:
    """Run a group; what has to run by itself has no answer afterwards."""
    progress.start(f"{jobs[0].settings.run_name} and others, heads together", count=len(jobs))
    answers = workers.call(
        run_group,
        [job.settings for job in jobs],
        [job.folder for job in jobs],
        on_event=progress.event,
        env=jobs[0].env,
    )
    if isinstance(answers, workers.Failure):  # killed: all of them go on with the next call
        answers = [answers] * len(jobs)
    for job, answer in zip(jobs, answers, strict=True):
        if answer is not None:
            job.answer = answer
    failures = [job.answer for job in jobs if isinstance(job.answer, workers.Failure)]
    left = sum(job.answer is _NOT_YET for job in jobs)
    said = f"{len(failures)} of {len(jobs)} heads: {failures[0].reason}" if failures else None
    progress.done(said, left=left)


def _job_return(job: PreparedJob) -> JobReturn:
    result = JobReturn(overrides=list(job.overrides), working_dir=os.fspath(job.folder))
    if job.answer is _NOT_YET:
        result.status = JobStatus.UNKNOWN
    elif isinstance(job.answer, workers.Failure):
        result.status = JobStatus.FAILED
        result.return_value = workers.JobFailedError(job.answer)
    else:
        result.status = JobStatus.COMPLETED
        result.return_value = job.answer
    return result
