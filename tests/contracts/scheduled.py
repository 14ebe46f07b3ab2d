"""The pipeline run on tiny nets and looked at in every epoch, with a record kept in memory."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor

from frostline.backbones.state_digest import named_state
from frostline.config.schema import Settings
from frostline.training import callbacks
from frostline.training.checkpoint import load_checkpoint
from frostline.training.recorder import RunRecorder
from frostline.training.run import train_run
from frostline.training.task import ClassificationTask
from tests.composed import settings as composed

TINY = (
    "weights=random", "image_size=64", "batch_size=16", "evidence=off", "trainer=cpu",
    "data.n_images=60", "data.size_px=64", "data.n_species=1", "data.photos_per_leaf=1",
    "head.dropout=0.2", "trainer.threads=1", "lr=5e-4",
)  # fmt: skip


def settings(*overrides: str) -> Settings:
    return composed(*TINY, *overrides)


class Record:
    """A run's record, in memory."""

    def __init__(self) -> None:
        self.tags: dict[str, Any] = {}
        self.params: dict[str, Any] = {}
        self.metrics: dict[tuple[str, int], float] = {}

    def set_tags(self, tags: dict[str, Any]) -> None:
        self.tags |= tags

    def log_params(self, params: dict[str, Any]) -> None:
        self.params |= params

    def log_metrics(self, values: dict[str, float], step: int) -> None:
        self.metrics |= {(name, step): value for name, value in values.items()}

    def batched(self) -> AbstractContextManager[None]:
        return nullcontext()

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: None

    def curve(self, metric: str) -> list[float]:
        return [self.metrics[key] for key in sorted(self.metrics) if key[0] == metric]


@dataclass
class Epoch:
    """What was seen at the end of an epoch.

    Attributes:
        trains: Names of the backbone's parameters that require gradients.
        awake: Paths of the modules with tensors of their own that are in train mode.
        state: All parameters and buffers of the backbone.
        rates: Of the optimiser's groups.
        stored: Whether its batches were stored outputs.
    """

    trains: set[str]
    awake: set[str]
    state: dict[str, Tensor]
    rates: list[float]
    stored: bool


@dataclass
class Ran:
    """A run and what was seen of it."""

    figures: dict[str, float]
    record: Record
    work: Path
    epochs: dict[int, Epoch] = field(default_factory=dict)
    start: dict[str, Tensor] = field(default_factory=dict)

    @property
    def last(self) -> dict[str, Any]:
        return load_checkpoint(sorted(self.work.glob("last-*.ckpt"))[-1])


def snapshot(task: pl.LightningModule) -> dict[str, Tensor]:
    assert isinstance(task, ClassificationTask)
    return {n: t.detach().clone() for n, t in named_state(task.backbone.get_submodule("model"))}


def ran(
    given: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch, *, stop_at: int | None = None
) -> Ran:
    """Run the pipeline and look at it in every epoch.

    Args:
        given: The run.
        folder: Its folders.
        stop_at: The epoch in whose first step it is interrupted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    seen = Ran({}, Record(), folder / "work")

    def at_start(self: Any, trainer: pl.Trainer, task: pl.LightningModule) -> None:
        begin(self, trainer, task)
        if not seen.start:
            seen.start = snapshot(task)
        if trainer.current_epoch == stop_at:
            raise InterruptedHereError

    def at_end(self: Any, trainer: pl.Trainer, task: pl.LightningModule) -> None:
        model = task.get_submodule("backbone.model")
        seen.epochs[trainer.current_epoch] = Epoch(
            {name for name, p in model.named_parameters() if p.requires_grad},
            {
                path
                for path, module in model.named_modules()
                if module.training and any(True for _ in module.parameters(recurse=False))
            },
            snapshot(task),
            [group["lr"] for group in trainer.optimizers[0].param_groups],
            type(trainer.datamodule.batches).__name__ == "FeatureDataModule",  # type: ignore[attr-defined]
        )
        end(self, trainer, task)

    with monkeypatch.context() as patched:
        begin = callbacks.EpochMetrics.on_train_epoch_start
        end = callbacks.EpochMetrics.on_train_epoch_end
        patched.setattr(callbacks.EpochMetrics, "on_train_epoch_start", at_start)
        patched.setattr(callbacks.EpochMetrics, "on_train_epoch_end", at_end)
        tracked: Any = seen.record
        try:
            recorder = RunRecorder(tracked, folder)
            trained = train_run(given, folder, seen.work, recorder, lambda **_: None)
            trained.keep()  # where the run is at its end, as an error would leave it
            recorder.record_result(trained)
            seen.figures = dict(trained.metrics)
        except InterruptedHereError:
            assert stop_at is not None
    return seen


class InterruptedHereError(Exception):
    """Stands for whatever ends a process in the middle."""


def assert_equal_state(one: Any, other: Any) -> None:
    """Two checkpoints agree to the last bit, the optimiser's state and the rates as well."""
    assert type(one) is type(other)
    if isinstance(one, Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_equal_state(one[key], other[key])
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for first, second in zip(one, other, strict=True):
            assert_equal_state(first, second)
    else:
        assert one == other
