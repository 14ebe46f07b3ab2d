"""Short trainings with and without the store of features, and what they did."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from frostline.backbones.backbone import Backbone
from frostline.backbones.build import build_backbone
from frostline.backbones.compute_mode import ComputeMode
from frostline.backbones.split.cut import Cut, cut
from frostline.config.image_size import Sides
from frostline.config.recipe import ConstantLr, CrossEntropy
from frostline.data.image_datamodule import ImageDataModule
from frostline.data.mixing import BatchMix
from frostline.data.sample_table import SampleTable
from frostline.data.sources.leaves import load_leaves
from frostline.data.splits import split_table
from frostline.features.prefix_job import PrefixJob
from frostline.features.reuse import Inputs, open_inputs
from frostline.features.stored_epochs import Readers
from frostline.training.callbacks import EpochSeed
from frostline.training.engine import Engine
from frostline.training.head import build_head
from frostline.training.loss import build_loss
from frostline.training.task import ClassificationTask
from frostline.training.trainer import TrainerBatches, build_trainer
from tests import optimizers

FLOAT32 = ComputeMode("32-true")
FAMILIES = [
    "test_resnet",
    "test_convnext",
    "test_efficientnet",
    "test_vit",
    "test_mambaout",
    "test_byobnet",
]


@cache
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
    table: SampleTable, name: str, freeze: int | str, *, augment: str, seed: int, batch_size: int,
    image_size: Sides = 64,
) -> tuple[PrefixJob, Backbone, Cut]:  # fmt: skip
    backbone = build_backbone(name, weights="random", image_size=image_size, seed=7)
    parts = cut(backbone, backbone.depth(freeze), pool="avg")
    splits = split_table(table, val_frac=0.2, test_frac=0.2, seed=seed)
    data = ImageDataModule(
        table, splits, backbone.input, augment=augment, batch_size=batch_size, seed=seed,
        workers=0, memory_gib=1.0,
    )  # fmt: skip
    return (
        PrefixJob(backbone, parts, data, "cpu", FLOAT32, FLOAT32),
        backbone,
        parts,
    )


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
    on_progress: Callable[..., None] = lambda **_: None,
    forward: ComputeMode = FLOAT32,
    training: ComputeMode = FLOAT32,
    image_size: Sides = 64,
    readers: int = 100,
) -> Trained:
    job, backbone, parts = prefix_job(
        table, name, freeze, augment=augment, seed=seed, batch_size=batch_size,
        image_size=image_size,
    )  # fmt: skip
    job = replace(job, forward=forward, training=training)
    inputs = open_inputs(
        job, reuse=reuse, mix="none", epochs=epochs, readers=Readers(readers),
        on_progress=on_progress,
    )  # fmt: skip
    head = build_head(
        parts.num_features, len(table.classes), hidden=None, dropout=0.2, batch_norm=False,
        seed=seed,
    )  # fmt: skip
    task = ClassificationTask(
        backbone=backbone, prefix=inputs.prefix, suffix=parts.suffix, head=head,
        preprocess=inputs.preprocess, stored=inputs.stored, lr=0.02,
        mix=BatchMix("none", alpha=1.0, n_classes=len(table.classes), seed=seed),
        loss=build_loss(
            CrossEntropy(name="cross_entropy", label_smoothing=0.0, class_weights=0.0), None
        ), lr_schedule=ConstantLr(name="constant", warmup_frac=0.0),
        optimizer=optimizers.sgd(weight_decay=0.0,
            momentum=0.0,
        ),
    )  # fmt: skip
    result = Trained(inputs)
    watchers = [EpochSeed(seed), KeepLosses(result.losses)]
    trainer = build_trainer(
        Engine("cpu", "32-true", 1, "single"),
        epochs=epochs,
        accumulate=1,
        callbacks=watchers,
        folder=str(folder),
    )
    trainer.fit(task, datamodule=TrainerBatches(inputs.data))
    result.val_logits = task.collected()[0]
    result.state = {key: value.clone() for key, value in task.state_dict().items()}
    return result


def relative_gaps(one: list[Tensor], other: list[Tensor]) -> list[float]:
    assert len(one) == len(other) > 0
    return [float((a - b).abs() / a.abs()) for a, b in zip(one, other, strict=True)]
