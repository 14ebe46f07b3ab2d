"""Which process carries out a job: similar jobs share one until a job fails.

A fresh process asks the system for all of its memory anew, which for a small job takes as long as
its training, and opens the tracking store, the images and the model's code again. Jobs of the same
shape need the same memory, and each seeds and builds all that it computes with, so that its figures
are those of a process of its own.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from frostline.config.schema import Settings
from frostline.errors import ConfigError
from frostline.sweeps.workers import Worker


def check_limit(jobs_per_process: object) -> None:
    """Check the limit of jobs per process.

    Raises:
        ConfigError: If it is not a whole number of at least 1.
    """
    match jobs_per_process:
        case None:
            return
        case bool():
            pass
        case int() if jobs_per_process >= 1:
            return
    raise ConfigError(
        f"hydra.launcher.jobs_per_process={jobs_per_process}: not a number of jobs",
        "null (one process for all similar jobs), 1 (one for each job), or more",
    )


class WorkerPool:
    """A pool of one process, replaced when the next job needs another; use it as a context.

    Args:
        jobs_per_process: How many jobs a process carries out at most; None for any number.
    """

    def __init__(self, jobs_per_process: int | None = None) -> None:
        self._limit = jobs_per_process
        self._worker: Worker | None = None
        self._shape: object = None
        self._jobs = 0

    def begin(
        self,
        settings: Settings,
        env: Mapping[str, str],
        function: Callable[..., Any],
        *args: Any,
    ) -> None:
        """Start the process of a job before it is known that the job will run, and return.

        Args:
            settings: The job's.
            env: Environment variables for its process.
            function: An importable function, which the process begins with.
            args: Its arguments, picklable.
        """
        self._start(_shape(settings, env), env)
        assert self._worker is not None
        self._worker.begin(function, *args)

    def worker_for(self, settings: Settings, env: Mapping[str, str]) -> Worker:
        """The process of the jobs before, if it is alive and this job is similar; else a new one.

        Args:
            settings: The job's.
            env: Environment variables for its process.
        """
        shape = _shape(settings, env)
        full = self._limit is not None and self._jobs >= self._limit
        # A run on several processes joins a group with them, which is for a process's whole life.
        full = full or settings.trainer.strategy == "ddp"
        fits = self._worker is not None and not full and shape == self._shape
        if not fits or self._worker is None or not self._worker.is_ready():
            self._start(shape, env)
        assert self._worker is not None
        self._jobs += 1
        return self._worker

    def _start(self, shape: object, env: Mapping[str, str]) -> None:
        self.end()
        self._worker, self._shape, self._jobs = Worker(dict(env)), shape, 0

    def end(self) -> None:
        """End the present process, which is idle or has only begun with something."""
        if self._worker is not None:
            self._worker.end()
            self._worker = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def process_order(jobs: Sequence[Settings]) -> list[int]:
    """The places of jobs so that those which can share a process follow each other.

    Within a process jobs with the same weights do, too, since it keeps the backbone that it built
    last. All else stays in order: of a cell, the job on whose seed it chooses is still the first.

    Args:
        jobs: In the order of the plan.
    """
    processes: dict[str, int] = {}
    weights: dict[str, int] = {}
    ranks = []
    for job in jobs:
        loaded = (job.weights, job.weights_key, job.weights_partial)
        process = processes.setdefault(repr(_shape(job, {})), len(processes))
        ranks.append((process, weights.setdefault(repr(loaded), len(weights))))
    return sorted(range(len(jobs)), key=ranks.__getitem__)


def can_share(one: Settings, other: Settings) -> bool:
    """Whether two jobs with the same environment are carried out by one process."""
    return _shape(one, {}) == _shape(other, {})


def _shape(settings: Settings, env: Mapping[str, str]) -> tuple[object, ...]:
    """What jobs have in common that can share a process."""
    return (
        settings.backbone,
        settings.image_size,
        settings.in_chans,
        settings.batch_size,
        settings.trainer,
        dict(env),
    )
