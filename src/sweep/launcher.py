"""The launcher that gives every job a process of its own, forked warm, one after the other."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from src.sweep import workers
from src.sweep.job import run_job
from src.sweep.progress import SweepProgress
from src.sweep.sweeper import settings_of


class IsolatedLauncher(Launcher):
    """Runs jobs in turn, each in a process that nothing of the others can reach."""

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

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run the jobs; a failed one is returned with its failure and does not stop the others."""
        returns: list[JobReturn] = []
        failed = 0
        with SweepProgress(total=len(job_overrides)) as progress:
            for index, overrides in enumerate(job_overrides, start=initial_job_idx):
                config = self._composed(index, overrides)
                settings = settings_of(config)
                folder = Path(config.hydra.sweep.dir) / str(config.hydra.sweep.subdir)
                _save_config(config, folder)
                progress.start(settings.run_name)
                env = environment_of(config.hydra)
                answer = workers.call(run_job, settings, folder, on_event=progress.event, env=env)
                returns.append(_job_return(answer, overrides, folder))
                failure = answer if isinstance(answer, workers.Failure) else None
                progress.done(failure.reason if failure else None)
                failed += failure is not None
                if settings.fail_fast is not None and failed >= settings.fail_fast:
                    break
        return returns

    def _composed(self, index: int, overrides: Sequence[str]) -> DictConfig:
        config = self.context.config_loader.load_sweep_config(self.master, list(overrides))
        with open_dict(config):
            config.hydra.job.id = str(index)
            config.hydra.job.num = index
        return config


def environment_of(hydra: Any) -> dict[str, str]:
    """What the person set as hydra.job.env_set, and how the job was started."""
    return {str(key): str(value) for key, value in (hydra.job.env_set or {}).items()}


def _save_config(config: DictConfig, folder: Path) -> None:
    """Leave the composed config where Hydra's users look for it."""
    place = folder / ".hydra"
    place.mkdir(parents=True, exist_ok=True)
    own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    OmegaConf.save(own, place / "config.yaml")
    OmegaConf.save(config.hydra.overrides.task, place / "overrides.yaml")


def _job_return(answer: Any, overrides: Sequence[str], folder: Path) -> JobReturn:
    result = JobReturn(overrides=list(overrides), working_dir=os.fspath(folder))
    if isinstance(answer, workers.Failure):
        result.status = JobStatus.FAILED
        result.return_value = workers.JobFailedError(answer)
    else:
        result.status = JobStatus.COMPLETED
        result.return_value = answer
    return result
