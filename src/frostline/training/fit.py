"""The training of a run: one fit for each phase, from the last checkpoint if there is one."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytorch_lightning as pl

from frostline.backbones.state_digest import digest_of
from frostline.config.schema import Settings
from frostline.data.splits import Splits
from frostline.features.stored_epochs import Readers
from frostline.training import callbacks, resume
from frostline.training.assembly import Assembly, assemble
from frostline.training.averaging import AverageWeights
from frostline.training.engine import choose_engine, prepare_process
from frostline.training.epoch_logs import epoch_logs, own_callbacks
from frostline.training.history import History
from frostline.training.kept_state import KeepBest, KeepLast
from frostline.training.phase import OpenPhase, open_phase
from frostline.training.phase_end import cut_short
from frostline.training.recorder import RunRecorder
from frostline.training.schedule import Phase, phase_to_train
from frostline.training.task import ClassificationTask
from frostline.training.trainer import TrainerBatches, build_trainer

OnProgress = Callable[..., None]


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


def fit(
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
    splits: Splits | None = None,
) -> Fitted:
    """Train to the end of some epoch, from the last checkpoint if there is one.

    Whether a run pauses at an epoch makes no difference to what comes after: its learning rates are
    those of the whole run, and it is resumed as after an interruption.

    Args:
        settings: As for `frostline.training.run.train_run`.
        folder: As there.
        work: As there.
        recorder: As there.
        on_progress: As there.
        until: Epochs that are trained in all.
        readers: Trainings that read the same outputs of frozen stages; None for those of the sweep.
        watching: Further callbacks.
        goes_on: Whether another call goes on from the end, even if that is the last epoch.
        splits: The rows of each split; None for those that the settings make.
    """
    prepare_process(settings.trainer.threads)
    engine = choose_engine(settings.trainer)
    pl.seed_everything(settings.seed, verbose=False)

    run = assemble(settings, on_progress, splits)
    task = run.task()
    task.strict_loading = False  # checkpoints leave out what is frozen
    own = own_callbacks(settings.callbacks.own)
    untouched = run.backbone.digest_as_built(run.cut.frozen_modules)
    last = resume.last_intact(work, on_progress, frozen=untouched)
    phases = run.course.phases_after(resume.scores_in(last) if run.is_patient else [])
    recorder.record_parts(
        backbone=run.backbone,
        cut=run.cut,
        phases=phases,
        table=run.table,
        splits=run.data.splits,
        trainable_params=task.trainable_params,
    )
    names = _changing(task, run)
    work.mkdir(parents=True, exist_ok=True)
    # A candidate that tuning has chosen may be further than the pause that is asked for.
    until = max(until, resume.epochs_done(last))
    # One fit for each phase, from the last checkpoint: beginning the next phase and resuming after
    # an interruption are the same thing.
    while True:
        phase = phase_to_train(phases, resume.epochs_done(last), until=until)
        number, is_last = phases.index(phase), phase is phases[-1]
        opened = open_phase(
            run,
            phase,
            engine,
            is_last=is_last,
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
        record = partial(
            recorder.record_phase,
            engine=opened.engine_text,
            number=None if is_last else number + 1,
        )
        record(reuse=str(inputs.decision))
        # What the last phase freezes is frozen in all phases, so its proof covers the whole run.
        frozen = partial(digest_of, opened.cut.frozen_modules)
        proof = callbacks.FrozenProof(frozen, before=untouched if is_last else frozen())
        average = None if settings.ema is None else AverageWeights(settings.ema, names)
        best = KeepBest(
            settings.callbacks.monitor, mode=settings.callbacks.mode, names=names, average=average
        )
        pauses = goes_on or not is_last or until < settings.epochs
        newest = KeepLast(work, best, frozen=untouched, at_end=pauses)
        history = History()
        observers = [
            callbacks.EpochSeed(settings.seed),
            *([] if average is None else [average]),
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
            *_early_stopping(settings, phases[-1]),
            *([] if is_last else [callbacks.EndPhase(run.course, phase, number)]),
            # Checkpoints come last, so that they hold the state of all others at the epoch's end.
            best,
            newest,
        ]
        trainer = build_trainer(
            opened.engine,
            epochs=min(phase.end, until),
            accumulate=settings.trainer.accumulate_grad_batches,
            limit_batches=settings.trainer.limit_batches,
            callbacks=observers,
            folder=os.fspath(folder),
        )
        trainer.fit(task, datamodule=TrainerBatches(inputs.data), ckpt_path=last)
        if inputs.epochs is not None:  # what came of it is known only now
            record(reuse=inputs.outcome)
        last = newest.path or last
        done = resume.epochs_done(last)
        if run.is_patient:
            phases = run.course.phases_after(callbacks.scores_of(trainer))
            recorder.record_phases(phases if not is_last else cut_short(phases, done, until=until))
        if not is_last and phases[number].end < phase.end:
            on_progress(
                text=f"patience: {settings.callbacks.monitor} was no better, so "
                f"freeze={phases[number + 1].freeze} from epoch {done + 1} on"
            )
        if is_last or done >= until:
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
