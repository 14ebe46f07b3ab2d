"""A short training, with or without the store: what it saw, step by step."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from src.backbones.build import Backbone, build_backbone
from src.backbones.cut import Cut, cut
from src.config.schema import ConstantLr, Sgd
from src.data.datamodule import ImageDataModule
from src.data.sources.leaves import load_leaves
from src.data.splits import split_table
from src.data.table import SampleTable
from src.features.decide import Speeds
from src.features.reuse import Inputs, PrefixJob, open_inputs
from src.training.callbacks import EpochSeed
from src.training.engine import Engine, build_trainer
from src.training.head import build_head
from src.training.task import ClassificationTask

# Only the disk's speed is made up, so that storing always pays, however slow a test's disk is.
FAST = Speeds(write=1e15, read_disk=1e15, read_memory=1e15)


def small_leaves(n_images: int = 60) -> SampleTable:
    return load_leaves(
        n_images=n_images, size_px=64, n_species=1, photos_per_leaf=1, variant="color",
        background="lab", imbalance=1.0, shortcut=0.0, leak=0.0, draw_seed=0,
    )  # fmt: skip


@dataclass
class Trained:
    """What a run did."""

    inputs: Inputs
    losses: list[Tensor] = field(default_factory=list)
    val_logits: Tensor = field(default_factory=lambda: torch.empty(0))
    state: dict[str, Tensor] = field(default_factory=dict)


class KeepLosses(pl.Callback):
    def __init__(self, into: list[Tensor]) -> None:
        self.into = into

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, *_: Any) -> None:
        self.into.append(outputs["loss"].detach().clone())


def prefix_job(
    table: SampleTable, name: str, freeze: int | str, *, augment: str, seed: int, batch_size: int
) -> tuple[PrefixJob, Backbone, Cut]:
    backbone = build_backbone(name, weights="random", image_size=None, seed=7)
    parts = cut(backbone, freeze, pool="avg")
    splits = split_table(table, val_frac=0.2, test_frac=0.2, seed=seed)
    data = ImageDataModule(
        table, splits, backbone.input, augment=augment, batch_size=batch_size, seed=seed,
        workers=0, memory_gib=1.0,
    )  # fmt: skip
    return PrefixJob(backbone, parts, data, freeze, "avg", "cpu", "32-true"), backbone, parts


def train(
    table: SampleTable,
    name: str,
    freeze: int | str,
    folder: Path,
    *,
    reuse: str,
    augment: str = "none",
    seed: int = 0,
    epochs: int = 2,
    batch_size: int = 16,
    tell: Callable[..., None] = lambda **_: None,
) -> Trained:
    job, backbone, parts = prefix_job(
        table, name, freeze, augment=augment, seed=seed, batch_size=batch_size
    )
    inputs = open_inputs(job, reuse=reuse, mix="none", epochs=epochs, jobs=100, tell=tell)
    head = build_head(
        parts.num_features, len(table.classes), hidden=None, dropout=0.2, batch_norm=False,
        seed=seed,
    )  # fmt: skip
    task = ClassificationTask(
        backbone=backbone, prefix=inputs.prefix, suffix=parts.suffix, head=head,
        preprocess=inputs.preprocess, lr=0.02, lr_schedule=ConstantLr(name="constant"),
        optimizer=Sgd(name="sgd", weight_decay=0.0, momentum=0.0),
    )  # fmt: skip
    result = Trained(inputs)
    watchers = [EpochSeed(seed), KeepLosses(result.losses)]
    trainer = build_trainer(
        Engine("cpu", "32-true", 1), epochs=epochs, callbacks=watchers, folder=str(folder)
    )
    trainer.fit(task, datamodule=inputs.data)
    result.val_logits = task.collected()[0]
    result.state = {key: value.clone() for key, value in task.state_dict().items()}
    return result
