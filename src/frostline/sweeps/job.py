"""One training that a command asks for, and what is recorded of it when it has ended."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from frostline.config.schema import Settings

if TYPE_CHECKING:
    from frostline.tracking.store import Store
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


def work_folder(store: "Store", job: Job) -> Path:
    """Where a job's checkpoints are until it is finished: the next command finds them there."""
    return store.address.state_dir / "jobs" / job.lock_key


def record_training(
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
