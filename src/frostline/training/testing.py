"""The one look at the test images, without what a Trainer sets up and takes down around it."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytorch_lightning as pl
import torch

from frostline.training.task import ClassificationTask


def test_pass(trainer: pl.Trainer, *, has_own_callbacks: bool) -> Callable[..., Any]:
    """What runs a task over its test images: `trainer.test`, or on the CPU its steps alone.

    Args:
        trainer: Which has trained the task.
        has_own_callbacks: Whether callbacks of the user's may listen to the test.
    """
    is_plain = trainer.world_size == 1 and trainer.strategy.root_device.type == "cpu"
    return partial(_tested, trainer) if is_plain and not has_own_callbacks else trainer.test


def _tested(
    trainer: pl.Trainer,
    task: ClassificationTask,
    loader: Any,
    *,
    verbose: bool,  # noqa: ARG001  (as in trainer.test)
) -> None:
    """What `trainer.test` does with a task on the CPU, batch by batch."""
    modes = [(module, module.training) for module in task.modules()]
    limit, precision = trainer.limit_test_batches, trainer.precision_plugin
    task.eval()
    try:
        with torch.inference_mode():
            task.on_test_epoch_start()
            for number, batch in enumerate(loader):
                if isinstance(limit, int) and number >= limit:
                    break
                with precision.test_step_context():
                    task.test_step(precision.convert_input(batch), number)
    finally:
        for module, was_training in modes:
            module.training = was_training
