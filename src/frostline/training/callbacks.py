"""Callbacks of a training: seeds, the proof of frozen stages, recorded metrics, progress."""

import time
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping

from frostline.data.seeds import seed_epoch
from frostline.errors import FrostlineError
from frostline.training.candidate import SCALED_LOSS
from frostline.training.learning_rates import Course, Rates
from frostline.training.scaled_loss import scaled_loss
from frostline.training.schedule import Phase
from frostline.training.task import ClassificationTask


class FrozenMovedError(FrostlineError):
    """Something that was declared frozen changed during training."""


class EpochSeed(pl.Callback):
    """Seeds each epoch by its number, so that a resumed run draws the same numbers."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Seed dropout and other random layers."""
        seed_epoch(self._seed, trainer.current_epoch)


class FrozenProof(pl.Callback):
    """Compares a digest of the stages that a phase freezes before and after it.

    Args:
        digest: Gives a digest over all parameters and buffers that are frozen.
        before: What it gave before anything was trained, or loaded from a checkpoint.
    """

    def __init__(self, digest: Callable[[], str], before: str) -> None:
        self._digest = digest
        self.before = before
        self.after = ""

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Take the digest after, and fail the run on a difference.

        Raises:
            FrozenMovedError: If a frozen parameter or buffer is not bit-identical.
        """
        self.after = self._digest()
        if self.before != self.after:
            raise FrozenMovedError(
                "a frozen stage changed during training: this run did not keep to its `freeze`",
                todo="please report the backbone, the freeze value and the versions",
            )


class StopEarly(EarlyStopping):
    """Early stopping that a resumed run remembers: a run that had stopped stays stopped.

    Lightning loses that state with the process, and would train one more epoch.

    Args:
        monitor: A validation metric.
        mode: `max` or `min`.
        patience: Epochs without a better value until the run stops.
        first_epoch: Of the last phase. Training never stops before it: a head that no longer
            improves is the reason to thaw the stages under it. The best value counts from epoch 0.
    """

    def __init__(self, monitor: str, *, mode: str, patience: int, first_epoch: int) -> None:
        super().__init__(monitor, mode=mode, patience=patience)
        self._first_epoch = first_epoch

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Evaluate the epoch, and stop if patience is exhausted."""
        before = trainer.should_stop  # the end of a phase is none of its business
        super().on_train_epoch_end(trainer, pl_module)
        if trainer.current_epoch < self._first_epoch:
            self.wait_count = self.stopped_epoch = 0
            trainer.should_stop = before

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Stop at once if the run had stopped before it was interrupted."""
        if self.wait_count >= self.patience:
            trainer.should_stop = True


class EndPhase(pl.Callback):
    """Ends a phase after the epoch that the scores so far make its last one.

    Args:
        course: Says where the phases end.
        phase: The phase that is trained, as it was known before.
        number: Of the phase, from 0.
    """

    def __init__(self, course: Course, phase: Phase, number: int) -> None:
        self._course = course
        self._phase = phase
        self._number = number

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Look at the scores with that of the epoch that has just ended."""
        ended = self._course.phases_after(scores_of(trainer))[self._number]
        if trainer.current_epoch + 1 == ended.end < self._phase.end:
            trainer.should_stop = True


def scores_of(trainer: pl.Trainer) -> list[float]:
    """The monitored metric of each epoch that a training has behind it, in all its parts."""
    rates = trainer.lr_scheduler_configs[0].scheduler
    assert isinstance(rates, Rates)
    return list(rates.scores)


class EpochMetrics(pl.Callback):
    """Records the metrics of each epoch, once, after its validation.

    Args:
        log: Receives the values and the epoch.
        frozen_stages: Whole stages that are frozen in this phase, wherever they lie.
        peak_lr: The run's `lr`.
    """

    def __init__(
        self, log: Callable[[dict[str, float], int], None], frozen_stages: int, peak_lr: float
    ) -> None:
        self._log = log
        self._frozen_stages = frozen_stages
        self._peak_lr = peak_lr
        self._lr = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Note the learning rate at the epoch's first step, where no factor changes it."""
        now = trainer.optimizers[0].param_groups[0]["lr"]
        peak = trainer.lr_scheduler_configs[0].scheduler.base_lrs[0]
        self._lr = self._peak_lr * (now / peak)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Send `train/loss`, `val/...`, `lr` and the frozen stages with the epoch as step."""
        values = {name: float(value) for name, value in trainer.callback_metrics.items()}
        values |= {"lr": self._lr, "train/frozen_stages": float(self._frozen_stages)}
        self._log(values, trainer.current_epoch)


class ScaledLoss(pl.Callback):
    """Records the loss by which a candidate of a tuned job is judged: see `scaled_loss`.

    Args:
        log: Receives the value and the epoch.
    """

    def __init__(self, log: Callable[[dict[str, float], int], None]) -> None:
        self._log = log

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Score the logits of the validation that has just ended."""
        assert isinstance(pl_module, ClassificationTask)
        logits, labels, _ = pl_module.collected()
        if bool(logits.isfinite().all()):  # else the task ends the run
            self._log({SCALED_LOSS: scaled_loss(logits, labels)}, trainer.current_epoch)


class ProgressEvents(pl.Callback):
    """Reports progress at most a few times a second, so that no step waits.

    Args:
        on_progress: Receives the keywords epoch, epochs, done (share of the run, 0 to 1), metrics.
        epochs: Of the whole run; None where the trainer knows.
        every_s: Least seconds between two messages within an epoch.
    """

    def __init__(
        self, on_progress: Callable[..., None], epochs: int | None = None, every_s: float = 0.3
    ) -> None:
        self._on_progress = on_progress
        self._epochs = epochs
        self._every_s = every_s
        self._last = 0.0

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,  # noqa: ARG002
        outputs: Any,  # noqa: ARG002
        batch: Any,  # noqa: ARG002
        batch_idx: int,
    ) -> None:
        """Report the share done within the epoch."""
        now = time.monotonic()
        if now - self._last >= self._every_s:
            self._last = now
            self._report(trainer, (batch_idx + 1) / max(1, int(trainer.num_training_batches)), {})

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Report the epoch's metrics."""
        figures = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self._report(trainer, 1.0, figures)

    def _report(self, trainer: pl.Trainer, share: float, figures: dict[str, float]) -> None:
        epochs = self._epochs or trainer.max_epochs or 1
        done = (trainer.current_epoch + share) / epochs
        self._on_progress(
            epoch=trainer.current_epoch + 1, epochs=epochs, done=done, metrics=figures
        )
