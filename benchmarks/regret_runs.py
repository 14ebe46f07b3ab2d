"""One run, or all heads of one data set and seed, as the product trains them, without a record."""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.regret_data import settings_for
from benchmarks.regret_rows import FIGURES, SCORES, Job, Row


class EnoughError(Exception):
    """As many epochs as wanted were trained."""


def train(job: Job, until: int, folder: Path) -> list[Row]:
    """Train one run.

    Args:
        job: The run.
        until: Epochs after which it is ended; its learning rate follows the whole schedule.
        folder: Where the images are.

    Returns:
        One row.
    """
    from frostline.training.run import train_run
    from frostline.training.task import TrainingDivergedError

    begun_s = time.monotonic()
    settings = settings_for(job, folder)
    state, scores = "trained", {}
    with TemporaryDirectory(dir=_memory(), prefix="regret-") as name:
        recorder = _curve_recorder(Path(name), until if until < job.epochs else None)
        try:
            trained = train_run(settings, Path(name), Path(name) / "work", recorder, _nothing)
            scores = _scores(trained.metrics)
        except EnoughError:
            state = "begun"
        except TrainingDivergedError:
            state = "diverged"
    seconds = time.monotonic() - begun_s
    return [Row(job, state, tuple(recorder.curve), scores, recorder.n_classes, seconds)]


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
            recorder = _curve_recorder(Path(name), None)
            try:
                trained = group.finish(number, Path(name), recorder)
                scores = _scores(trained.metrics)
            except TrainingDivergedError:
                state = "diverged"
        seconds = group.seconds / len(jobs)
        rows.append(Row(job, state, tuple(recorder.curve), scores, recorder.n_classes, seconds))
    return rows


def _curve_recorder(folder: Path, until: int | None) -> Any:
    """A recorder that keeps each epoch's figures and nothing else."""
    from frostline.data.sample_table import SampleTable
    from frostline.training.recorder import RunRecorder

    class CurveRecorder(RunRecorder):
        n_classes = 0

        def __init__(self) -> None:
            self.curve: list[tuple[float, ...]] = []

        def batched(self) -> Any:
            return TemporaryDirectory(dir=folder)

        def record_parts(self, *, table: SampleTable, **_: Any) -> None:
            self.n_classes = len(table.classes)

        def record_phase(self, **_: Any) -> None: ...

        def record_epoch(self, metrics: Mapping[str, float], epoch: int) -> None:
            self.curve.append(tuple(float(metrics[name]) for name in FIGURES))
            if until is not None and epoch + 1 >= until:
                raise EnoughError

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
