"""One run, top to bottom: data, backbone, cut, head, training, choice on validation, one test."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytorch_lightning as pl

from frostline.backbones.state_digest import digest_of
from frostline.config.schema import Settings
from frostline.features.stored_epochs import Readers
from frostline.training import callbacks, resume
from frostline.training.assembly import Assembly, assemble
from frostline.training.engine import build_trainer, choose_engine, prepare_process
from frostline.training.epoch_logs import epoch_logs, own_callbacks
from frostline.training.history import History
from frostline.training.kept_state import KeepBest, KeepLast
from frostline.training.phase import OpenPhase, open_phase
from frostline.training.recorder import RunRecorder, TrainedRun
from frostline.training.rung import (
    PauseAtDeadline,
    Rung,
    add_seconds,
    epoch_seconds,
    rung_file,
    seconds_before,
)
from frostline.training.schedule import Phase, remaining
from frostline.training.split_evaluation import evaluate_split
from frostline.training.task import ClassificationTask

OnProgress = Callable[..., None]
Part = TrainedRun | Rung


@dataclass(frozen=True)
class Fitted:
    """A training as far as it went.

    Attributes:
        run: Its parts.
        task: With the weights of the last epoch.
        trainer: Of the last phase that was begun.
        opened: That phase.
        history: Metric to its value at each epoch.
        best: The weights of the best epoch.
        last: The state at the end of the last epoch, which may have to be written yet.
        frozen_digest: Of all that the last phase freezes.
    """

    run: Assembly
    task: ClassificationTask
    trainer: pl.Trainer
    opened: OpenPhase
    history: History
    best: KeepBest
    last: KeepLast
    frozen_digest: str


def train_run(
    settings: Settings, folder: Path, work: Path, recorder: RunRecorder, on_progress: OnProgress
) -> Part:
    """Carry out one run, or resume it from its last checkpoint; or a part of it, for a race.

    Args:
        settings: All that determines the run; nothing in it is to be tuned any more.
        folder: Where the job's results are left.
        work: Where its checkpoints lie until it is finished, and where a resumed run finds them.
        recorder: Writes the run's record.
        on_progress: Receives progress (see frostline.sweep.progress).

    Returns:
        The trained run, or how far it is where `sweep.until_epoch` pauses it.

    Raises:
        FrostlineError: If the settings do not fit the data or the backbone, the loss diverges, or a
            frozen stage changed.
        DeadlineError: If `sweep.deadline_s` has passed; its last whole epoch is kept.
    """
    begun_s = time.monotonic()
    pause = settings.sweep.until_epoch
    until = settings.epochs if pause is None else min(max(1, pause), settings.epochs)
    deadline = PauseAtDeadline(settings.sweep.deadline_s, epoch_seconds(work))
    try:
        fitted = _fit(
            settings, folder, work, recorder, on_progress, until=until, watching=[deadline]
        )
        if not _is_over(fitted, settings):
            epochs = fitted.trainer.current_epoch
            return judged(fitted, rung_file(folder, epochs), epochs)
    finally:
        if work.is_dir():
            add_seconds(work, time.monotonic() - begun_s, epoch_s=deadline.epoch_s)
    try:
        return _tested(fitted, folder, work, recorder)
    except BaseException:
        fitted.last.keep()
        raise


def _tested(fitted: Fitted, folder: Path, work: Path, recorder: RunRecorder) -> TrainedRun:
    """Choose the best weights, look at the test set once, and write the weights."""
    evaluating_s = time.monotonic()
    recorder.record_frozen(fitted.frozen_digest)
    fitted.best.load_into(fitted.task)
    metrics = _evaluate(fitted, folder / "predictions")
    checkpoint = work / "best.ckpt"
    if fitted.trainer.is_global_zero:
        fitted.best.write(fitted.task, checkpoint)
    # What it took and what it takes by itself: heads that train together record other values.
    took_s = seconds_before(work) + time.monotonic() - evaluating_s
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
    scores = evaluate_split(
        fitted.task,
        fitted.trainer.validate,
        fitted.opened.inputs.data.evaluation_dataloader("val"),
        fitted.run.table,
        file,
    )
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

    Raises:
        FrostlineError: As `train_run`.
    """
    watching = [callbacks.ScaledLoss(recorder.record_epoch), *watching]
    return _fit(
        settings,
        folder,
        work,
        recorder,
        on_progress,
        until=until,
        readers=Readers(settings.sweep.sharing, candidates, until),
        watching=watching,
        goes_on=True,
    )


def _fit(
    settings: Settings,
    folder: Path,
    work: Path,
    recorder: RunRecorder,
    on_progress: OnProgress,
    *,
    until: int,
    readers: Readers | None = None,
    watching: Sequence[pl.Callback] = (),
    goes_on: bool = False,
) -> Fitted:
    """Train to the end of some epoch, from the last checkpoint if there is one.

    Whether a run pauses at an epoch makes no difference to what comes after: its learning rates are
    those of the whole run, and it is resumed as after an interruption.

    Args:
        settings: As for `train_run`.
        folder: As there.
        work: As there.
        recorder: As there.
        on_progress: As there.
        until: Epochs that are trained in all.
        readers: Trainings that read the same outputs of frozen stages; None for those of the sweep.
        watching: Further callbacks.
        goes_on: Whether another call goes on from the end, even if that is the last epoch.
    """
    prepare_process(settings.trainer.threads)
    engine = choose_engine(settings.trainer)
    pl.seed_everything(settings.seed, verbose=False)

    run = assemble(settings, on_progress)
    task = run.task()
    task.strict_loading = False  # checkpoints leave out what is frozen
    recorder.record_parts(
        backbone=run.backbone,
        cut=run.cut,
        phases=run.phases,
        table=run.table,
        splits=run.data.splits,
        trainable_params=task.trainable_params,
    )
    own = own_callbacks(settings.callbacks.own)
    untouched = run.backbone.digest_as_built(run.cut.frozen_modules)
    last = resume.last_intact(work, on_progress, frozen=untouched)
    names = _changing(task, run)
    work.mkdir(parents=True, exist_ok=True)
    # A candidate that tuning has chosen may be further than the pause that is asked for.
    until = max(until, resume.epochs_done(last))
    # One fit for each phase, from the last checkpoint: beginning the next phase and resuming after
    # an interruption are the same thing.
    for phase in remaining(run.phases, resume.epochs_done(last), until=until):
        opened = open_phase(
            run,
            phase,
            engine,
            readers=readers or Readers(settings.sweep.sharing),
            on_progress=on_progress,
        )
        inputs = opened.inputs
        task.enter(
            prefix=inputs.prefix,
            suffix=opened.cut.suffix,
            preprocess=inputs.preprocess,
            stored=inputs.stored,
        )
        is_last = phase is run.phases[-1]
        record = partial(
            recorder.record_phase,
            engine=opened.engine_text,
            number=None if is_last else run.phases.index(phase) + 1,
        )
        record(reuse=str(inputs.decision))
        # What the last phase freezes is frozen in all phases, so its proof covers the whole run.
        frozen = partial(digest_of, opened.cut.frozen_modules)
        proof = callbacks.FrozenProof(frozen, before=untouched if is_last else frozen())
        best = KeepBest(settings.callbacks.monitor, mode=settings.callbacks.mode, names=names)
        pauses = goes_on or not is_last or until < settings.epochs
        newest = KeepLast(work, best, frozen=untouched, at_end=pauses)
        history = History()
        observers = [
            callbacks.EpochSeed(settings.seed),
            *watching,
            proof,
            callbacks.EpochMetrics(
                recorder.record_epoch, opened.cut.depth.frozen_stages, settings.peak_lr
            ),
            callbacks.ProgressEvents(on_progress, settings.epochs),
            history,
            *own,
            *epoch_logs(
                settings.callbacks, folder / "logs", history, settings.model_dump(mode="json")
            ),
            *_early_stopping(settings, run.phases[-1]),
            # Checkpoints come last, so that they hold the state of all others at the epoch's end.
            best,
            newest,
        ]
        trainer = build_trainer(
            opened.engine,
            epochs=min(phase.end, until),
            accumulate=settings.trainer.accumulate_grad_batches,
            callbacks=observers,
            folder=os.fspath(folder),
        )
        trainer.fit(task, datamodule=inputs.data, ckpt_path=last)
        if inputs.epochs is not None:  # what came of it is known only now
            record(reuse=inputs.outcome)
        last = newest.path or last
    return Fitted(run, task, trainer, opened, history, best, newest, proof.after)


def _changing(task: ClassificationTask, run: Assembly) -> frozenset[str]:
    """Names in a task's state of all that training may change, in any phase."""
    frozen = {f"backbone.model.{name}" for name in run.cut.frozen_modules.names}
    return frozenset(task.state_dict()) - frozen


def _early_stopping(settings: Settings, last_phase: Phase) -> list[pl.Callback]:
    choice = settings.callbacks
    if choice.patience_epochs is None:
        return []
    return [
        callbacks.StopEarly(
            choice.monitor,
            mode=choice.mode,
            patience=choice.patience_epochs,
            first_epoch=last_phase.first_epoch,
        )
    ]


def _evaluate(fitted: Fitted, predictions: Path) -> dict[str, float]:
    """Score the chosen weights on validation and test, and write the predictions of both."""
    metrics: dict[str, float] = {}
    for split, prefix, evaluate in (
        ("val", "val_best", fitted.trainer.validate),
        ("test", "test", fitted.trainer.test),
    ):
        scores = evaluate_split(
            fitted.task,
            evaluate,
            fitted.opened.inputs.data.evaluation_dataloader(split),
            fitted.run.table,
            predictions / f"{split}.parquet",
        )
        metrics |= {f"{prefix}/{name}": value for name, value in scores.items()}
    return metrics
