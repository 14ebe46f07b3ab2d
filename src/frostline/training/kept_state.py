"""What a run keeps while it trains: its best weights in memory, and where it is on disk.

Only what training may change is kept: frozen tensors are the same at the start and at the end,
which every run proves.
"""

import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint
from torch import Tensor

from frostline.training.averaging import AverageWeights
from frostline.training.checkpoint import CheckpointError, digest_path, save_checkpoint
from frostline.training.resume import BEST, FROZEN, PATTERN, last_path
from frostline.training.task import ClassificationTask

KEPT = 2  # the newest may be the one that a fault damaged
# Between two checkpoints lies at least so many times what writing one takes: 5 % of the time.
COSTS_BETWEEN = 20
# Larger logits of the best validation are not kept beside its weights: that pass is run again.
_MOST_LOGITS = 2**24
# What the first one is expected to take, before one has been measured.
_BYTES_PER_S = 2e8
_LEAST_S = 0.005


class KeepBest(Checkpoint):
    """Keeps the weights of the best epoch, by a metric of the validation split.

    Args:
        monitor: The metric.
        mode: `max` or `min`.
        names: The tensors of the task's state that training may change.
        average: Has the weights that are validated, where these are not the task's.

    Attributes:
        epoch: The best epoch; None before the first one.
        state: Its tensors.
        validated: What its validation saw, as `ClassificationTask.collected` gives it: logits
            (N, K), labels (N,), table rows (N,). None where the best epoch was another process's.
    """

    def __init__(
        self,
        monitor: str,
        *,
        mode: str,
        names: frozenset[str],
        average: AverageWeights | None = None,
    ) -> None:
        self._average = average
        self._monitor = monitor
        self._sign = 1.0 if mode == "max" else -1.0
        self._names = names
        self._score = -torch.inf
        self._steps = 0
        self.epoch: int | None = None
        self.state: dict[str, Tensor] = {}
        self.validated: tuple[Tensor, Tensor, Tensor] | None = None

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Copy the weights if the epoch is the best so far; of equal ones the first stays."""
        value = trainer.callback_metrics[self._monitor]
        score = -torch.inf if bool(torch.isnan(value)) else self._sign * float(value)
        if self.epoch is None or score > self._score:
            self._score, self._steps = score, trainer.global_step
            # New tensors each time: a checkpoint that waits to be written may share the old ones.
            scored = self.of(pl_module) if self._average is None else self._average.tensors
            self.state = {name: copied(each) for name, each in scored.items()}
            self.epoch = trainer.current_epoch
            self.validated = _validated(pl_module)

    def has_weights_of(self, epoch: int) -> bool:
        """Whether the best weights are those from which training goes on after an epoch."""
        return epoch == self.epoch and self._average is None

    def of(self, task: pl.LightningModule) -> dict[str, Tensor]:
        """The task's tensors that training may change, shared."""
        state: dict[str, Tensor] = task.state_dict()
        return {name: tensor for name, tensor in state.items() if name in self._names}

    def content(self, epoch: int) -> dict[str, Any]:
        """What a checkpoint of an epoch holds of the best one."""
        return {
            "epoch": self.epoch,
            "score": self._score,
            "steps": self._steps,
            "state": None if self.has_weights_of(epoch) else self.state,
        }

    def on_load_checkpoint(
        self,
        trainer: pl.Trainer,  # noqa: ARG002
        pl_module: pl.LightningModule,  # noqa: ARG002
        checkpoint: dict[str, Any],
    ) -> None:
        """Take the best weights of the part before over.

        Raises:
            CheckpointError: If the checkpoint holds other tensors.
        """
        if checkpoint["state_dict"].keys() != self._names:
            raise CheckpointError("the checkpoint is of another network")
        best = checkpoint[BEST]
        self.epoch, self._score, self._steps = best["epoch"], best["score"], best["steps"]
        state = checkpoint["state_dict"] if best["state"] is None else best["state"]
        self.state = {name: copied(each) for name, each in state.items()}
        self.validated = None

    def load_into(self, task: pl.LightningModule) -> None:
        """Give a task the best weights."""
        task.load_state_dict(self.state, strict=False)

    def write(self, task: pl.LightningModule, path: Path) -> None:
        """Write the best weights, which the task has, with all that is frozen: a whole network."""
        content = {
            "epoch": self.epoch,
            "global_step": self._steps,
            "pytorch-lightning_version": _lightning_version(),
            "state_dict": dict(task.state_dict()),
        }
        save_checkpoint(content, path)


class KeepLast(Checkpoint):
    """Keeps the state at the end of an epoch, with that of optimiser and loops, to go on from.

    Only ends of epochs are kept: resuming in the middle of one would repeat its samples
    (https://github.com/Lightning-AI/pytorch-lightning/issues/19764). It is written when
    `COSTS_BETWEEN` times what writing takes have passed since the last time, and else waits in
    memory, for whatever ends the training too early: an error, a signal, a deadline.

    Args:
        folder: Where checkpoints go.
        best: The best weights, which they hold, too.
        frozen: Digest of what they leave out.
        at_end: Whether the end of this training is written in any case, since another goes on.

    Attributes:
        path: The checkpoint of the newest epoch, which may not be written yet; None before it ends.
    """

    def __init__(self, folder: Path, best: KeepBest, *, frozen: str, at_end: bool) -> None:
        self._folder = folder
        self._best = best
        self._frozen = frozen
        self._at_end = at_end
        self._waiting: tuple[Path, dict[str, Any]] | None = None
        self._since_s = time.monotonic()
        self._cost_s: float | None = None
        self.path: Path | None = None

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the state, or copy it."""
        epoch = trainer.current_epoch
        self.path = last_path(self._folder, epoch)
        if not trainer.is_global_zero:
            return
        rest = trainer._checkpoint_connector.dump_checkpoint(weights_only=False)
        state = self._best.of(pl_module)
        kept = {BEST: self._best.content(epoch), FROZEN: self._frozen}
        cost_s = self._cost_s if self._cost_s is not None else _expected_s([rest, state, kept])
        if time.monotonic() - self._since_s >= COSTS_BETWEEN * cost_s:
            # Should a signal interrupt the writing, these are still the tensors of the epoch's end.
            self._waiting = self.path, {**rest, "state_dict": state, **kept}
            self.write()
            return
        state = self._best.state if self._best.has_weights_of(epoch) else _all_copied(state)
        del rest["state_dict"]
        optimizers = rest.pop("optimizer_states", [])
        if not _steps_no_more(trainer):
            optimizers = _all_copied(optimizers)
        rest = {**_all_copied(rest), "optimizer_states": optimizers}
        self._waiting = self.path, {**rest, "state_dict": state, **kept}

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Write the end of a training that another goes on from."""
        if self._at_end:
            self.write()
            trainer.strategy.barrier()

    def on_exception(
        self,
        trainer: pl.Trainer,  # noqa: ARG002
        pl_module: pl.LightningModule,  # noqa: ARG002
        exception: BaseException,  # noqa: ARG002
    ) -> None:
        """Write what waits, as the process may end."""
        self.keep()

    def keep(self) -> None:
        """Write what waits, if there is room: what ended the training is the error to show."""
        with suppress(OSError):
            self.write()

    def write(self) -> None:
        """Write what waits, and remove all but the newest checkpoints.

        Raises:
            OSError: If it cannot be written; the ones before it stay.
        """
        if self._waiting is None:
            return
        path, content = self._waiting
        begun_s = time.monotonic()
        save_checkpoint(content, path)
        self._waiting = None
        for old in sorted(self._folder.glob(PATTERN))[:-KEPT]:
            old.unlink(missing_ok=True)
            digest_path(old).unlink(missing_ok=True)
        self._since_s = time.monotonic()
        self._cost_s = self._since_s - begun_s


@cache
def _lightning_version() -> str:
    """Asked once a process, since it is read from a file."""
    return version("pytorch-lightning")


def _validated(task: pl.LightningModule) -> tuple[Tensor, Tensor, Tensor] | None:
    """What the validation that has just ended saw, if it is small enough to be kept."""
    if not isinstance(task, ClassificationTask):
        return None
    seen = task.collected()
    return seen if seen[0].numel() <= _MOST_LOGITS else None


def copied(tensor: Tensor) -> Tensor:
    """A copy on the CPU that training does not change."""
    return tensor.detach().to("cpu", copy=True)


def _steps_no_more(trainer: pl.Trainer) -> bool:
    """Whether the optimiser's tensors, which are on the CPU, stay as they are from here on."""
    ends = trainer.max_epochs is not None and trainer.current_epoch + 1 >= trainer.max_epochs
    return ends and trainer.strategy.root_device.type == "cpu"


def _all_copied(value: Any) -> Any:
    """A nested structure with copies of its tensors."""
    match value:
        case Tensor():
            return copied(value)
        case dict():
            return {key: _all_copied(each) for key, each in value.items()}
        case list():
            return [_all_copied(each) for each in value]
        case tuple() if type(value) is tuple:
            return tuple(_all_copied(each) for each in value)
    return value


def _expected_s(content: Any) -> float:
    """Seconds that writing a checkpoint is expected to take."""
    n_bytes = sum(tensor.numel() * tensor.element_size() for tensor in _tensors(content))
    return _LEAST_S + n_bytes / _BYTES_PER_S


def _tensors(value: Any) -> Iterator[Tensor]:
    match value:
        case Tensor():
            yield value
        case dict():
            for each in value.values():
                yield from _tensors(each)
        case list() | tuple():
            for each in value:
                yield from _tensors(each)
