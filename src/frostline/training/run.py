"""One run, top to bottom: data, backbone, cut, head, training, choice on validation, one test."""

from collections.abc import Sequence
from pathlib import Path

import pytorch_lightning as pl

from frostline.backbones.adapters import merge_adapters
from frostline.config.schema import Settings
from frostline.data.splits import Splits
from frostline.features.stored_epochs import Readers
from frostline.running_time import running_s
from frostline.training import callbacks
from frostline.training.fit import Fitted, OnProgress, fit
from frostline.training.recorder import RunRecorder, TrainedRun
from frostline.training.rung import (
    PauseAtDeadline,
    Rung,
    add_seconds,
    epoch_seconds,
    rung_file,
    seconds_before,
)
from frostline.training.split_evaluation import evaluate_split, score_and_write
from frostline.training.testing import test_pass

Part = TrainedRun | Rung


def train_run(
    settings: Settings, folder: Path, work: Path, recorder: RunRecorder, on_progress: OnProgress
) -> Part:
    """Carry out one run, or resume it from its last checkpoint; or a part of it, for a race.

    Args:
        settings: All that determines the run; nothing in it is to be tuned any more.
        folder: Where the job's results are left.
        work: Where its checkpoints lie until it is finished, and where a resumed run finds them.
        recorder: Writes the run's record.
        on_progress: Receives progress (see frostline.sweeps.progress).

    Returns:
        The trained run, or how far it is where `sweep.until_epoch` pauses it.

    Raises:
        FrostlineError: If the settings do not fit the data or the backbone, the loss diverges, or a
            frozen stage changed.
        DeadlineError: If `sweep.deadline_s` has passed; its last whole epoch is kept.
    """
    begun_s = running_s()
    pause = settings.sweep.until_epoch
    until = settings.epochs if pause is None else min(max(1, pause), settings.epochs)
    deadline = PauseAtDeadline(settings.sweep.deadline_s, epoch_seconds(work))
    try:
        fitted = fit(
            settings, folder, work, recorder, on_progress, until=until, watching=[deadline]
        )
        if not _is_over(fitted, settings):
            epochs = fitted.trainer.current_epoch
            return judged(fitted, rung_file(folder, epochs), epochs)
    finally:
        if work.is_dir():
            add_seconds(work, running_s() - begun_s, epoch_s=deadline.epoch_s)
    try:
        return _tested(fitted, folder, work, recorder)
    except BaseException:
        fitted.last.keep()
        raise


def _tested(fitted: Fitted, folder: Path, work: Path, recorder: RunRecorder) -> TrainedRun:
    """Choose the best weights, look at the test set once, and write the weights."""
    evaluating_s = running_s()
    recorder.record_frozen(fitted.frozen_digest)
    fitted.best.load_into(fitted.task)
    if fitted.run.cut.depth.is_adapted:
        # What is tested, written and used from here on is the plain network that they come to.
        merge_adapters(fitted.run.backbone.model)
    metrics = _evaluate(fitted, folder / "predictions")
    checkpoint = work / "best.ckpt"
    if fitted.trainer.is_global_zero:
        fitted.best.write(fitted.task, checkpoint)
    # What it took and what it takes by itself: heads that train together record other values.
    took_s = seconds_before(work) + running_s() - evaluating_s
    metrics["time/train_s"] = metrics["time/alone_s"] = took_s
    if fitted.best.epoch is not None:
        metrics["val_best/epoch"] = float(fitted.best.epoch)
    return TrainedRun(
        metrics=metrics,
        step=fitted.trainer.current_epoch,
        table=fitted.run.table,
        data=fitted.run.data,
        backbone=fitted.run.backbone,
        head=fitted.run.head,
        engine=fitted.opened.engine,
        history=fitted.history.values,
        predictions=folder / "predictions",
        checkpoint=checkpoint,
        logs=folder / "logs",
        keep=fitted.last.keep,
    )


def _is_over(fitted: Fitted, settings: Settings) -> bool:
    """Whether a training has all its epochs, or has stopped early by its own metric."""
    stopped = any(
        isinstance(each, callbacks.StopEarly) and each.stopped_epoch
        for each in fitted.trainer.early_stopping_callbacks
    )
    return stopped or fitted.trainer.current_epoch >= settings.epochs


def judged(fitted: Fitted, file: Path, epochs: int) -> Rung:
    """The best weights so far on validation; the test images take no part.

    Args:
        fitted: A training that pauses.
        file: Gets the predictions.
        epochs: Of the rung.
    """
    fitted.best.load_into(fitted.task)
    scores = _validated(fitted, file)
    return Rung(epochs, scores, file)


def fit_candidate(
    settings: Settings,
    folder: Path,
    work: Path,
    recorder: RunRecorder,
    on_progress: OnProgress,
    *,
    until: int,
    candidates: int = 1,
    watching: Sequence[pl.Callback] = (),
    splits: Splits | None = None,
) -> Fitted:
    """Train a candidate of a tuned job to the end of some epoch, as `train_run` would train it.

    Args:
        settings: As for `train_run`.
        folder: As there.
        work: As there.
        recorder: Receives the loss by which candidates are judged, too.
        on_progress: As there.
        until: Epochs that are trained in all, at most `settings.epochs`.
        candidates: How many of the job's train so far, which see the same images.
        watching: Further callbacks, such as one that ends it at a deadline.
        splits: As for `frostline.training.fit.fit`.

    Raises:
        FrostlineError: As `train_run`.
    """
    watching = [callbacks.ScaledLoss(recorder.record_epoch), *watching]
    return fit(
        settings,
        folder,
        work,
        recorder,
        on_progress,
        until=until,
        readers=Readers(settings.sweep.sharing, candidates, until),
        watching=watching,
        goes_on=True,
        splits=splits,
    )


def _evaluate(fitted: Fitted, predictions: Path) -> dict[str, float]:
    """Score the chosen weights on validation and test, and write the predictions of both."""
    validated = _validated(fitted, predictions / "val.parquet")
    tested = evaluate_split(
        fitted.task,
        test_pass(fitted.trainer, has_own_callbacks=bool(fitted.run.settings.callbacks.own)),
        fitted.opened.inputs.data.evaluation_dataloader("test"),
        fitted.run.table,
        predictions / "test.parquet",
    )
    metrics = {f"val_best/{name}": value for name, value in validated.items()}
    return metrics | {f"test/{name}": value for name, value in tested.items()}


def _validated(fitted: Fitted, predictions: Path) -> dict[str, float]:
    """Score the best weights, which the task has, on validation, and write the predictions.

    Their own epoch has validated them already, with the same inputs in the same batches; only
    where that was in another process, or in another phase, they do it again, and so does a network
    that adapters have been merged into.
    """
    if fitted.best.validated is not None and not fitted.run.cut.depth.is_adapted:
        return score_and_write(*fitted.best.validated, fitted.run.table, predictions)
    return evaluate_split(
        fitted.task,
        fitted.trainer.validate,
        fitted.opened.inputs.data.evaluation_dataloader("val"),
        fitted.run.table,
        predictions,
    )
