"""A part of a run: trained to some epoch of its whole schedule, judged there, to be resumed later.

A race compares cells before their end. What a paused run resumes from are the checkpoints that an
interruption would leave, so a run is the same whether it pauses or not.
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path

import pytorch_lightning as pl

from frostline.errors import DeadlineError
from frostline.files import replacing

_SECONDS = "seconds.json"


@dataclass(frozen=True)
class Rung:
    """A run as far as it went.

    Attributes:
        epochs: Epochs it has behind it.
        scores: `loss`, `acc_micro`, `acc_macro`, `f1_macro` on validation at its best epoch so far.
        predictions: The Parquet file of its validation predictions there.
    """

    epochs: int
    scores: dict[str, float]
    predictions: Path


def rung_file(folder: Path, epochs: int) -> Path:
    """Where the validation predictions after so many epochs are written: also a run's artifact."""
    return folder / rung_name(epochs)


def rung_name(epochs: int) -> str:
    """Such as `rungs/epoch-0002.parquet`."""
    return f"rungs/epoch-{epochs:04d}.parquet"


class PauseAtDeadline(pl.Callback):
    """Ends a training between two epochs, if the next one would not fit before the deadline.

    At the start of an epoch the checkpoints of the one before are written.

    Args:
        deadline_s: Seconds since 1970; None for no limit.
    """

    def __init__(self, deadline_s: float | None) -> None:
        self._deadline_s = deadline_s
        self._begun_s: float | None = None

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Compare the time with the deadline.

        Raises:
            DeadlineError: If less is left than half of what the last epoch took.
        """
        now_s = time.time()
        last_s = 0.0 if self._begun_s is None else now_s - self._begun_s
        check_deadline(self._deadline_s, needs_s=0.5 * last_s)
        self._begun_s = now_s


def check_deadline(deadline_s: float | None, *, needs_s: float = 0.0) -> None:
    """Compare the time with a deadline.

    Args:
        deadline_s: Seconds since 1970; None for no limit.
        needs_s: What must be left.

    Raises:
        DeadlineError: If it is not.
    """
    if deadline_s is not None and time.time() + needs_s > deadline_s:
        raise DeadlineError


def seconds_before(work: Path) -> float:
    """Seconds that earlier parts of a run took, as `add_seconds` kept them; 0 without any.

    Args:
        work: Where its checkpoints lie.
    """
    try:
        return float(json.loads((work / _SECONDS).read_text()))
    except (OSError, ValueError, TypeError):
        return 0.0


def add_seconds(work: Path, seconds: float) -> None:
    """Keep what a part of a run took beside its checkpoints."""
    total = seconds_before(work) + seconds
    with replacing(work / _SECONDS) as temporary:
        temporary.write_text(json.dumps(total))
