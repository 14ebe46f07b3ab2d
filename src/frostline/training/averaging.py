"""Averaged weights (`ema`): validated, kept and tested in the place of the last ones."""

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from frostline.backbones.averaged_tensors import AveragedTensors
from frostline.training.checkpoint import CheckpointError

_AVERAGE = "average"


class AverageWeights(pl.Callback):
    """Averages what trains over the steps, and lends the average to the network for validation.

    Training goes on from the plain weights. The average spans all phases of a run: its state is in
    the checkpoints, from which the next phase and a resumed run go on.

    Args:
        decay: Of the average, in (0, 1).
        names: The tensors of the task's state that training may change; what is frozen is not
            averaged, and so stays as it is to the last bit.
    """

    def __init__(self, decay: float, names: frozenset[str]) -> None:
        self._decay = decay
        self._names = names
        self._average: AveragedTensors | None = None
        self._restored: Mapping[str, Tensor] | None = None
        self._plain: dict[str, Tensor] = {}
        self._step = 0

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The average of each tensor, shared; empty before training begins."""
        return {} if self._average is None else self._average.tensors

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin with the weights as they are, or with the average of the part before."""
        self._average = AveragedTensors(self._live(pl_module), self._decay)
        self._step = trainer.global_step
        if self._restored is not None:
            self._average.load(self._restored)
            self._restored = None

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,  # noqa: ARG002
        outputs: Any,  # noqa: ARG002
        batch: Any,  # noqa: ARG002
        batch_idx: int,  # noqa: ARG002
    ) -> None:
        """Take a step in; batches whose gradients are only added up are none."""
        if self._average is not None and trainer.global_step > self._step:
            self._step = trainer.global_step
            self._average.update(self._step)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Give the network the average, in the course of a training."""
        if trainer.state.fn != "fit" or self._average is None:
            return
        live = self._live(pl_module)
        self._plain = {name: tensor.clone() for name, tensor in live.items()}
        _copy(self._average.tensors, live)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Give it the weights back from which training goes on."""
        if self._plain:
            _copy(self._plain, self._live(pl_module))
            self._plain = {}

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint holds of it."""
        return {_AVERAGE: dict(self.tensors)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the average of a checkpoint over.

        Raises:
            CheckpointError: If it is of other tensors.
        """
        if state_dict[_AVERAGE].keys() != self._names:
            raise CheckpointError("the checkpoint holds the average of another network")
        self._restored = state_dict[_AVERAGE]

    def _live(self, task: pl.LightningModule) -> dict[str, Tensor]:
        state: dict[str, Tensor] = task.state_dict()
        return {name: tensor for name, tensor in state.items() if name in self._names}


@torch.no_grad()
def _copy(values: Mapping[str, Tensor], into: Mapping[str, Tensor]) -> None:
    for name, tensor in into.items():
        tensor.copy_(values[name])
