"""Logs that other tools read: a CSV file with one line per epoch, and TensorBoard's event files."""

import csv
from pathlib import Path

import pytorch_lightning as pl

from frostline.config.schema import CallbackSettings
from frostline.training.history import History


def epoch_logs(choice: CallbackSettings, folder: Path, history: History) -> list[pl.Callback]:
    """The configured logs; they must run after the history that they are written from.

    Args:
        choice: Which.
        folder: Where they go; made when the first epoch has ended.
        history: The metrics of each epoch, which survive interruptions.
    """
    wanted: list[pl.Callback] = []
    if choice.csv:
        wanted.append(EpochCsv(folder / "epochs.csv", history))
    if choice.tensorboard:
        wanted.append(TensorBoardLog(folder / "tensorboard", history))
    return wanted


class EpochCsv(pl.Callback):
    """Writes all epochs so far after each of them, so that a resumed run has a whole file.

    Args:
        path: The file.
        history: The metrics of each epoch.
    """

    def __init__(self, path: Path, history: History) -> None:
        self._path = path
        self._history = history

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Write the file anew: `epoch` from 0, then the metrics by name."""
        values = self._history.values
        names = sorted(values)
        epochs = sorted({epoch for points in values.values() for epoch in points})
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["epoch", *names])
            for epoch in epochs:
                writer.writerow([epoch, *(values[name].get(epoch, "") for name in names)])


class TensorBoardLog(pl.Callback):
    """Writes the history of a run as TensorBoard's scalars when its training ends.

    At the end and not by the epoch: a run that was interrupted has its curves once, and whole.

    Args:
        folder: Of the event file.
        history: The metrics of each epoch.
    """

    def __init__(self, folder: Path, history: History) -> None:
        self._folder = folder
        self._history = history

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Write the event file."""
        from torch.utils.tensorboard import SummaryWriter

        with SummaryWriter(str(self._folder)) as writer:
            for name, points in sorted(self._history.values.items()):
                for epoch, value in sorted(points.items()):
                    writer.add_scalar(name, value, epoch)
