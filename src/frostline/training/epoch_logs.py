"""Logs that other tools read: a CSV file with one line per epoch, and TensorBoard's event files."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.loggers import Logger

from frostline.config.own_part import OwnPart
from frostline.config.schema import CallbackSettings
from frostline.plugins.part import PluginError, build_part
from frostline.training.history import History


def epoch_logs(
    choice: CallbackSettings, folder: Path, history: History, params: Mapping[str, Any]
) -> list[pl.Callback]:
    """The configured logs; they must run after the history that they are written from.

    Args:
        choice: Which.
        folder: Where they go; made when the first epoch has ended.
        history: The metrics of each epoch, which survive interruptions.
        params: What describes the run, for loggers that show it.
    """
    wanted: list[pl.Callback] = []
    if choice.csv:
        wanted.append(EpochCsv(folder / "epochs.csv", history))
    if choice.tensorboard:
        wanted.append(TensorBoardLog(folder / "tensorboard", history))
    if choice.loggers:
        wanted.append(LoggerFeed(choice.loggers, history, params))
    return wanted


def own_callbacks(parts: Sequence[OwnPart]) -> list[pl.Callback]:
    """A user's own Lightning callbacks, in their order.

    Raises:
        PluginError: If one cannot be built, or is no callback of Lightning.
    """
    return [_built(part, "own", pl.Callback) for part in parts]


def _built(part: OwnPart, key: str, kind: type[Any]) -> Any:
    made = build_part(part)
    if not isinstance(made, kind):
        raise PluginError(
            f"callbacks.{key}: {part.target} made a {type(made).__name__}",
            f"a {kind.__module__.partition('.')[0]} {kind.__name__}",
        )
    return made


class LoggerFeed(pl.Callback):
    """Gives the history of a run to Lightning loggers when its training ends.

    At the end and not by the epoch, as with TensorBoard: a run that was interrupted, tuned or
    trained in phases has its curves once, and whole.

    Args:
        parts: The loggers, built when they are needed.
        history: The metrics of each epoch.
        params: What describes the run.
    """

    def __init__(
        self, parts: Sequence[OwnPart], history: History, params: Mapping[str, Any]
    ) -> None:
        self._parts = parts
        self._history = history
        self._params = dict(params)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Feed and close each logger."""
        by_epoch: dict[int, dict[str, float]] = {}
        for name, points in sorted(self._history.values.items()):
            for epoch, value in points.items():
                by_epoch.setdefault(epoch, {})[name] = value
        for part in self._parts:
            logger = _built(part, "loggers", Logger)
            logger.log_hyperparams(self._params)
            for epoch, values in sorted(by_epoch.items()):
                logger.log_metrics({"epoch": epoch, **values}, step=epoch)
            logger.save()
            logger.finalize("success")


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
