"""Resuming an interrupted training from the newest checkpoint that is intact."""

from collections.abc import Callable
from pathlib import Path

from pytorch_lightning.callbacks import ModelCheckpoint

from frostline.training.checkpoint import CheckpointError, load_checkpoint

KEPT = 2  # the newest may be the one that a fault damaged


def keep_last(folder: Path) -> ModelCheckpoint:
    """A callback that keeps the last two ends of epochs, with optimiser and loop state.

    Only ends of epochs are saved: resuming in the middle of one would repeat its samples
    (https://github.com/Lightning-AI/pytorch-lightning/issues/19764).
    """
    return ModelCheckpoint(
        folder,
        filename="last-{epoch:05d}",
        auto_insert_metric_name=False,
        monitor="epoch",
        mode="max",
        save_top_k=KEPT,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )


def keep_best(folder: Path, *, monitor: str, mode: str) -> ModelCheckpoint:
    """A callback that keeps the weights of the best epoch, by a metric of the validation split."""
    return ModelCheckpoint(
        folder,
        filename="best",
        monitor=monitor,
        mode=mode,
        save_weights_only=True,
        enable_version_counter=False,
    )


def epochs_done(checkpoint: Path | None) -> int:
    """How many epochs a checkpoint of `keep_last` has behind it; 0 without one."""
    return 0 if checkpoint is None else int(checkpoint.stem.removeprefix("last-")) + 1


def last_intact(folder: Path, on_progress: Callable[..., None]) -> Path | None:
    """The newest intact checkpoint in a folder; None if training starts from the beginning.

    Args:
        folder: Where `keep_last` put them.
        on_progress: Receives `text=` for each damaged one that is skipped.
    """
    for path in sorted(folder.glob("last-*.ckpt"), reverse=True):
        try:
            load_checkpoint(path)
        except CheckpointError as error:
            on_progress(text=f"{error}: the one before it is used")
            continue
        return path
    return None
