"""Looking at one cell on validation: a solved head, or a run at a rate of its own. No test image.

Both are what a job of a sweep does, by the same functions, without a record: a head is solved on
stored features that the sweep will read again; a run chooses its rate among the first epochs of
its candidates, and the best one goes on to the end of its schedule.
"""

import time
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostline.advice.quick.looks import ALL, Look
from frostline.config.image_size import Sides
from frostline.config.schema import Settings
from frostline.data.sample_table import SampleTable
from frostline.data.splits import Splits
from frostline.errors import ConfigError, DataError
from frostline.files import file_name
from frostline.stats.predictions import Predictions
from frostline.tracking.prediction_files import read_predictions
from frostline.training.assembly import assemble
from frostline.training.candidate import Candidate, first_part
from frostline.training.engine import choose_engine
from frostline.training.fit import Fitted
from frostline.training.head_features import HeadFeatures
from frostline.training.head_pool import HeadPool, TrainedHead
from frostline.training.head_tuning import tune_heads
from frostline.training.probabilities import probabilities
from frostline.training.recorder import CurveLog, RunRecorder
from frostline.training.run import fit_candidate, judged
from frostline.training.rung import PauseAtDeadline
from frostline.training.schedule import Phase
from frostline.training.tuning import candidate_folder, tune

# Rates that a run tries, and one more where the lowest or highest of them wins: one fewer than a
# sweep. In docs/tuning.md the best of nine is among them at all depths of all sets.
CANDIDATES = 3


class Looker:
    """Looks at the cells of one data set.

    Args:
        table: The images.
        splits: Training and validation rows; no test rows.
        folder: For checkpoints, which nobody needs afterwards.
        on_progress: Receives lines of progress.
    """

    def __init__(
        self,
        table: SampleTable,
        splits: Splits,
        folder: Path,
        on_progress: Callable[[str], None],
    ) -> None:
        self._table, self._splits, self._folder = table, splits, folder
        self._on_progress = on_progress

    def head(self, job: Settings, *, at_own_size: bool) -> Look:
        """Solve the head of a backbone on stored features; what is missing is computed.

        Args:
            job: The backbone and the size.
            at_own_size: As in `Look`.

        Raises:
            DataError: If features cannot be stored.
        """
        begun_s = time.monotonic()
        settings = _job(job, ALL)
        parts = assemble(settings, self._say, self._splits)
        engine = choose_engine(settings.trainer)
        features = HeadFeatures(parts, engine, 1, self._say, is_needed=True)
        pool = HeadPool(parts, engine, features)
        try:
            tuning, head = tune_heads(settings, pool, on_progress=lambda **_: None)
        except ConfigError as error:
            raise DataError(
                error.given, todo="make room, or give another folder: FROSTLINE_HOME=DIR"
            ) from None
        predictions = self._predictions(pool, head)
        how = "solved head" if tuning.best.l2 is not None else f"head, {tuning.best.label}"
        return Look(
            job.backbone,
            ALL,
            str(parts.backbone.input.size_label),
            at_own_size,
            predictions,
            how,
            time.monotonic() - begun_s,
        )

    def run(self, job: Settings, freeze: str, *, at_own_size: bool, until_s: float) -> Look:
        """Train at a depth, at the best of a few rates.

        Args:
            job: The backbone and the size.
            freeze: `0` ..
            at_own_size: As in `Look`.
            until_s: When it has to be over, seconds since 1970.

        Raises:
            DeadlineError: If that is too soon.
            AllDivergedError: If no rate leads anywhere.
        """
        begun_s = time.monotonic()
        settings = _job(job, freeze, until_s)
        runs = _Runs(settings, self._splits, self._folder, self._say)
        place = self._folder / file_name(f"{job.backbone}-{freeze}-{job.image_size}")
        chosen = tune(
            settings, place, runs.train, until=runs.first_part, on_progress=lambda **_: None
        )
        best = chosen.settings_for(settings)
        own = candidate_folder(place, chosen.best.values)
        fitted = runs.fit(best, own, settings.epochs, lambda _metrics, _epoch: None)
        rung = judged(fitted, place / "val.parquet", settings.epochs)
        return Look(
            job.backbone,
            freeze,
            str(fitted.run.backbone.input.size_label),
            at_own_size,
            read_predictions(rung.predictions),
            f"run, {_rate(chosen.best)}",
            time.monotonic() - begun_s,
        )

    def _predictions(self, pool: HeadPool, head: TrainedHead) -> Predictions:
        """Of a solved head for validation."""
        batches = [pool.features[one] for one in head.data.sampler("val", training=False)]
        probs = probabilities(pool.logits_of(head.module, batches)).numpy()
        return predictions_of(self._table, self._splits.val, probs)

    def _say(self, *, text: str = "", **_: object) -> None:
        if text:
            self._on_progress(text)


def predictions_of(
    table: SampleTable, rows: NDArray[np.int64], probs: NDArray[np.float32]
) -> Predictions:
    """Predictions in the form and order of a run's, sorted by item.

    The probabilities stay in single precision: in half precision the two highest may be equal,
    and another class would win than in a sweep, which scores before it rounds.

    Args:
        table: The images.
        rows: (N), those that were predicted.
        probs: (N, K) float32.
    """
    items = np.asarray([str(table.items[row]) for row in rows.tolist()], dtype=np.str_)
    order = np.argsort(items, kind="stable")
    groups = np.asarray([str(one) for one in table.groups[rows]], dtype=np.str_)
    labels = table.labels[rows].astype(np.int64)
    return Predictions(items[order], groups[order], labels[order], probs[order])


class _Runs:
    """Trains the candidates of one cell."""

    def __init__(
        self,
        settings: Settings,
        splits: Splits,
        folder: Path,
        on_progress: Callable[..., None],
    ) -> None:
        self._settings, self._splits, self._folder = settings, splits, folder
        self._on_progress = on_progress
        self._epoch_s: float | None = None

    @cached_property
    def first_part(self) -> int:
        """Epochs that all candidates train."""
        return first_part_of(self._settings, len(self._splits.train))

    def train(
        self,
        own: Settings,
        work: Path,
        until: int,
        on_epoch: Callable[[Mapping[str, float], int], None],
    ) -> int:
        """Train one candidate; returns the number of classes."""
        return len(self.fit(own, work, until, on_epoch).run.table.classes)

    def fit(
        self,
        own: Settings,
        work: Path,
        until: int,
        on_epoch: Callable[[Mapping[str, float], int], None],
    ) -> Fitted:
        """Train, or go on with, one candidate."""
        watch = PauseAtDeadline(own.sweep.deadline_s, self._epoch_s)
        fitted = fit_candidate(
            own,
            self._folder,
            work,
            _Unrecorded(CurveLog(on_epoch), self._folder),
            self._on_progress,
            until=until,
            candidates=CANDIDATES,
            watching=[watch],
            splits=self._splits,
        )
        self._epoch_s = watch.epoch_s
        return fitted


class _Unrecorded(RunRecorder):
    """Keeps no files of a run's parts."""

    def record_parts(self, **_: object) -> None:
        """Nothing is kept."""


def first_part_of(settings: Settings, n_train: int) -> int:
    """Epochs of a run with one phase before which no rate can be judged."""
    steps = -(-n_train // settings.batch_size)
    phases = [Phase(0, settings.epochs, freeze=0, lr_factor=1.0)]
    return first_part(phases, share=settings.tune.first_frac, steps_per_epoch=steps)


def at_size(job: Settings, image_size: Sides | None) -> Settings:
    """The job at another size."""
    return job.model_copy(update={"image_size": image_size})


def _job(job: Settings, freeze: str, until_s: float | None = None) -> Settings:
    sweep = job.sweep.model_copy(update={"deadline_s": until_s})
    tune_settings = job.tune
    if freeze != ALL:
        tune_settings = job.tune.model_copy(update={"candidates": CANDIDATES})
    depth = freeze if freeze == ALL else int(freeze)
    return job.model_copy(update={"freeze": depth, "sweep": sweep, "tune": tune_settings})


def _rate(candidate: Candidate) -> str:
    return f"lr {candidate.values['lr']:.2g}"
