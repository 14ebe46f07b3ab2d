"""A part of a run: trained to some epoch of its whole schedule, judged there, to be resumed later.

A race compares cells before their end. What a paused run resumes from are the checkpoints that an
interruption would leave, so a run is the same whether it pauses or not.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import pytorch_lightning as pl

from frostline.files import replacing
from frostline.running_time import running_s
from frostline.training.deadline import check_deadline

_SECONDS = "seconds.json"


@dataclass(frozen=True)
class Rung:
    """A run as far as it went.

    Attributes:
        epochs: Epochs it has behind it; FIRST_LOOK for what one of its candidates came to.
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
    """Ends a training between two epochs, if the next one would not end before the deadline.

    An epoch is expected to take as long as the one before; nothing is known of a first one. At the
    start of an epoch the checkpoints of the one before are written.

    Args:
        deadline_s: Seconds since 1970; None for no limit.
        epoch_s: Seconds of an epoch of an earlier part, or of another candidate, if one is known.

    Attributes:
        epoch_s: The same of the last epoch.
    """

    def __init__(self, deadline_s: float | None, epoch_s: float | None = None) -> None:
        self._deadline_s = deadline_s
        self._begun_s: float | None = None
        self.epoch_s = epoch_s

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Compare the time with the deadline.

        Raises:
            DeadlineError: If less is left than an epoch takes.
        """
        self._measure()
        check_deadline(self._deadline_s, needs_s=self.epoch_s or 0.0)
        self._begun_s = running_s()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Measure the last epoch."""
        self._measure()
        self._begun_s = None

    def _measure(self) -> None:
        if self._begun_s is not None:
            self.epoch_s = running_s() - self._begun_s


def seconds_before(work: Path) -> float:
    """Seconds that earlier parts of a run took, as `add_seconds` kept them; 0 without any.

    Args:
        work: Where its checkpoints lie.
    """
    return _read(work).get("seconds", 0.0)


def epoch_seconds(work: Path) -> float | None:
    """Seconds of the last epoch of a run's earlier parts; None where none is known."""
    return _read(work).get("epoch_s")


def add_seconds(work: Path, seconds: float, *, epoch_s: float | None = None) -> None:
    """Keep what a part of a run took beside its checkpoints.

    Args:
        work: Where they lie.
        seconds: Of the part.
        epoch_s: Of its last epoch, if it is known.
    """
    kept = {"seconds": seconds_before(work) + seconds}
    if epoch_s is not None:
        kept["epoch_s"] = epoch_s
    with replacing(work / _SECONDS) as temporary:
        temporary.write_text(json.dumps(kept))


def _read(work: Path) -> dict[str, float]:
    try:
        kept = json.loads((work / _SECONDS).read_text())
        return {str(name): float(value) for name, value in kept.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
