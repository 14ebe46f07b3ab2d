"""The metrics of each epoch, which survive an interruption."""

from typing import Any

import pytorch_lightning as pl


class History(pl.Callback):
    """Keeps the metrics of each epoch in the checkpoint, so that a resumed run has them all.

    Attributes:
        values: Metric to its value at each epoch, from 0.
    """

    def __init__(self) -> None:
        self.values: dict[str, dict[int, float]] = {}

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Add the epoch's metrics."""
        for name, value in trainer.callback_metrics.items():
            self.values.setdefault(name, {})[trainer.current_epoch] = float(value)

    def state_dict(self) -> dict[str, Any]:
        """Plain numbers."""
        return {"values": self.values}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a checkpoint."""
        self.values = {name: dict(points) for name, points in state_dict["values"].items()}
