"""One run, or all heads of one data set and seed, as the product trains them, without a record."""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.regret_data import settings_for
from benchmarks.regret_rows import FIGURES, JUDGED, SCORES, Job, Row

# After which candidates are judged at the latest.
FIRST_EPOCHS = 2


def train(job: Job, until: int, folder: Path) -> list[Row]:
    """Train one run.

    Args:
        job: The run.
        until: Epochs after which it is ended; its learning rate follows the whole schedule.
        folder: Where the images are.

    Returns:
        One row.
    """
    from frostline.training.run import fit_candidate, train_run
    from frostline.training.task import TrainingDivergedError

    begun_s = time.monotonic()
    settings = settings_for(job, folder)
    state, scores = "trained", {}
    with TemporaryDirectory(dir=_memory(), prefix="regret-") as name:
        recorder = _curve_recorder(Path(name))
        places = Path(name), Path(name) / "work"
        try:
            # As a candidate first, and on from its checkpoint, which is how the product does it.
            first = min(FIRST_EPOCHS, job.epochs)
            fit_candidate(settings, *places, recorder, _nothing, until=first)
            if until < job.epochs:
                state = "begun"
            else:
                scores = _scores(train_run(settings, *places, recorder, _nothing).metrics)
        except TrainingDivergedError:
            state = "diverged"
    seconds = time.monotonic() - begun_s
    return [Row(job, state, recorder.rows(), scores, recorder.n_classes, seconds)]


def train_heads(jobs: Sequence[Job], folder: Path) -> list[Row]:
    """Train the heads of jobs with `freeze=all` that differ in rates and epochs alone.

    Args:
        jobs: Of one data set and one seed.
        folder: Where the images are.
    """
    from frostline.training.head_group import train_head_group
    from frostline.training.task import TrainingDivergedError

    group = train_head_group([settings_for(job, folder) for job in jobs], {}, on_progress=_nothing)
    rows = []
    for number, job in enumerate(jobs):
        state, scores = "trained", {}
        with TemporaryDirectory(dir=_memory(), prefix="regret-") as name:
            recorder = _curve_recorder(Path(name))
            try:
                trained = group.finish(number, Path(name), recorder)
                scores = _scores(trained.metrics)
            except TrainingDivergedError:
                state = "diverged"
        seconds = group.seconds / len(jobs)
        rows.append(Row(job, state, recorder.rows(), scores, recorder.n_classes, seconds))
    return rows


def _curve_recorder(folder: Path) -> Any:
    """A recorder that keeps each epoch's figures and nothing else."""
    from frostline.data.sample_table import SampleTable
    from frostline.training.recorder import RunRecorder

    class CurveRecorder(RunRecorder):
        n_classes = 0

        def __init__(self) -> None:
            self.curve: dict[int, dict[str, float]] = {}

        def rows(self) -> tuple[tuple[float, ...], ...]:
            return tuple(
                tuple(metrics[name] for name in JUDGED if name in metrics)
                for _, metrics in sorted(self.curve.items())
                if FIGURES[1] in metrics
            )

        def batched(self) -> Any:
            return TemporaryDirectory(dir=folder)

        def record_parts(self, *, table: SampleTable, **_: Any) -> None:
            self.n_classes = len(table.classes)

        def record_phase(self, **_: Any) -> None: ...

        def record_epoch(self, metrics: Mapping[str, float], epoch: int) -> None:
            self.curve.setdefault(epoch, {}).update(metrics)

        def record_tuning(self, tuning: Any, **_: Any) -> None: ...

        def record_frozen(self, digest: str) -> None: ...

    return CurveRecorder()


def _scores(metrics: Mapping[str, float]) -> dict[str, float]:
    names = [f"{split}/{score}" for split in ("val_best", "test") for score in SCORES]
    return {name: float(metrics[name]) for name in names}


def _memory() -> str | None:
    """Where short-lived files cost no disk."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def _nothing(**_: Any) -> None:
    """Progress is not shown."""
