"""Resuming an interrupted training from the newest checkpoint that is intact.

A checkpoint holds what training may change, and the best weights so far; frozen tensors are those
that the run was built with, known by their digest.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from frostline.training.checkpoint import CheckpointError, load_checkpoint

# In a checkpoint: digest of the frozen tensors that it leaves out; the best weights so far.
FROZEN = "frostline_frozen"
BEST = "frostline_best"
PATTERN = "last-*.ckpt"


def last_path(folder: Path, epoch: int) -> Path:
    """The checkpoint of the end of an epoch, counted from 0."""
    return folder / f"last-{epoch:05d}.ckpt"


def epochs_done(checkpoint: Path | None) -> int:
    """How many epochs a checkpoint of `last_path` has behind it; 0 without one."""
    return 0 if checkpoint is None else int(checkpoint.stem.removeprefix("last-")) + 1


def scores_in(checkpoint: Path | None) -> list[float]:
    """The monitored metric of each epoch that a checkpoint has behind it; empty without one."""
    if checkpoint is None:
        return []
    (rates,) = load_checkpoint(checkpoint)["lr_schedulers"]
    return [float(score) for score in rates["scores"]]


def last_intact(folder: Path, on_progress: Callable[..., None], *, frozen: str) -> Path | None:
    """The newest intact checkpoint in a folder; None if training starts from the beginning.

    Args:
        folder: Where `KeepLast` put them.
        on_progress: Receives `text=` for each damaged one that is skipped.
        frozen: Digest of what the run freezes from its first epoch to its last.
    """
    for path in sorted(folder.glob(PATTERN), reverse=True):
        try:
            _check_frozen(path, load_checkpoint(path), frozen)
        except CheckpointError as error:
            on_progress(text=f"{error}: the one before it is used")
            continue
        return path
    return None


def _check_frozen(path: Path, content: dict[str, Any], frozen: str) -> None:
    if content.get(FROZEN) != frozen:
        raise CheckpointError(
            f"{path}: the checkpoint is of other frozen weights, or of an older version"
        )
