"""The parts of a run, built from its settings: images, backbone, head, the task over them."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from frostline.backbones.adapters import add_adapters
from frostline.backbones.backbone import Backbone
from frostline.backbones.pristine import backbone_of_job
from frostline.backbones.split.cut import Cut
from frostline.backbones.synced_norms import sync_backbone, sync_norms
from frostline.backbones.tensor_files import describe_misfit
from frostline.config.freeze_value import LORA
from frostline.config.schema import Settings
from frostline.data.image_datamodule import ImageDataModule
from frostline.data.imbalance import class_weights
from frostline.data.load import load_table, split_of
from frostline.data.mixing import BatchMix
from frostline.data.sample_table import SampleTable
from frostline.data.splits import Splits
from frostline.training.as_planned import check_as_planned
from frostline.training.engine import choose_engine, syncs_norms
from frostline.training.learning_rates import Course
from frostline.training.loss import build_loss, divisor_of
from frostline.training.optim import check_adapter_rates, lr_scales
from frostline.training.parts import augment_of, cut_of, head_of
from frostline.training.schedule import Phase, patience_of, phases_of
from frostline.training.task import ClassificationTask


@dataclass(frozen=True)
class Assembly:
    """The parts of one run.

    Attributes:
        settings: What they were built from.
        table: All images with their labels.
        data: Their batches, by split.
        backbone: Frozen to the depth of the last phase.
        cut: Its cut there.
        head: The new classifier.
        phases: Which depth is frozen when, as planned.
    """

    settings: Settings
    table: SampleTable
    data: ImageDataModule
    backbone: Backbone
    cut: Cut
    head: nn.Sequential
    phases: tuple[Phase, ...]

    @property
    def is_patient(self) -> bool:
        """Whether its phases may end early, by its scores."""
        return patience_of(self.settings.schedule) is not None

    def cut_at(self, freeze: int | str) -> Cut:
        """The backbone frozen and cut at a depth, which may be the same again."""
        return cut_of(self.settings, self.backbone, freeze)

    @property
    def course(self) -> Course:
        """What its learning rates and the ends of its phases follow."""
        settings = self.settings
        return Course(
            self.phases,
            {
                f"backbone.model.{name}": scale
                for name, scale in lr_scales(
                    self.backbone.stages, settings.optimizer.layer_decay
                ).items()
            }
            | {
                f"head.{name}": settings.optimizer.head_lr_factor
                for name, _ in self.head.named_parameters()
            },
            settings.callbacks.monitor,
            settings.callbacks.mode,
            patience_of(settings.schedule),
        )

    def task(self) -> ClassificationTask:
        """The task over these parts; call it while the backbone is frozen as in the last phase."""
        settings, data, parts = self.settings, self.data, self.cut
        weights = class_weights_of(settings, data)
        return ClassificationTask(
            backbone=self.backbone,
            prefix=parts.prefix,
            suffix=parts.suffix,
            head=self.head,
            preprocess=data.preprocess,
            mix=BatchMix(
                settings.mix.name,
                alpha=settings.mix.alpha,
                n_classes=len(self.table.classes),
                seed=settings.batch_seed,
            ),
            loss=build_loss(settings.loss, weights),
            divisor=divisor_of(settings.loss, weights),
            optimizer=settings.optimizer,
            lr_schedule=settings.lr_schedule,
            lr=settings.peak_lr,
            course=self.course,
        )


def assemble(
    settings: Settings, on_progress: Callable[..., None], splits: Splits | None = None
) -> Assembly:
    """Build the parts of a run.

    Args:
        settings: All that determines it.
        on_progress: Receives `text=` of weights that did not fit.
        splits: The rows of each split, where they are not those that the settings make.

    Raises:
        FrostlineError: If the settings do not fit the data or the backbone.
    """
    table = load_table(settings.data, in_chans=settings.in_chans)
    backbone = backbone_of(settings)
    if settings.freeze == LORA:
        check_adapter_rates(settings.freeze, settings.optimizer.layer_decay)
        add_adapters(backbone, rank=settings.lora_rank, seed=settings.seed)
    loaded = backbone.weights
    if loaded.partial:
        misfit = describe_misfit(loaded.missing, loaded.unexpected, loaded.mismatched)
        on_progress(text=f"weights={settings.weights}: tensors that did not fit:\n{misfit}")
    synced = syncs_norms(choose_engine(settings.trainer))
    if synced:
        sync_backbone(backbone, settings.freeze, adapts=settings.frozen_bn == "train")
    parts = cut_of(settings, backbone, settings.freeze, backbone.as_built)
    head = head_of(settings, parts.num_features, len(table.classes))
    if synced:
        sync_norms(head)
    return Assembly(
        settings=settings,
        table=table,
        data=data_of(settings, table, backbone, splits),
        backbone=backbone,
        cut=parts,
        head=head,
        phases=phases_of(
            settings.schedule,
            freeze=settings.freeze,
            prefix_stages=parts.depth.prefix_stages,
            num_stages=parts.depth.num_stages,
            epochs=settings.epochs,
        ),
    )


def backbone_of(settings: Settings) -> Backbone:
    """A run's backbone with its weights, as it is before anything is frozen.

    Raises:
        FrostlineError: If it cannot be built, or its weights are not found or do not fit.
    """
    return backbone_of_job(
        settings.backbone,
        weights=settings.weights,
        image_size=settings.image_size,
        seed=settings.seed,
        in_chans=settings.in_chans,
        weights_key=settings.weights_key,
        weights_partial=settings.weights_partial,
    )


def data_of(
    settings: Settings, table: SampleTable, backbone: Backbone, splits: Splits | None = None
) -> ImageDataModule:
    """A run's batches of images.

    Args:
        settings: Of the run.
        table: All images.
        backbone: Whose input they become.
        splits: As for `assemble`.

    Raises:
        DataChangedError: If data, splits or weights are not those that the run was planned for.
    """
    if splits is None:
        splits = split_of(table, settings.data, seed=settings.seed)
    check_as_planned(settings, table, splits, backbone.weights)
    return ImageDataModule(
        table,
        splits,
        backbone.input,
        augment=settings.augment.name,
        batch_size=settings.batch_size,
        seed=settings.batch_seed,
        workers=settings.trainer.workers,
        memory_gib=settings.data.memory_gib,
        sampling=settings.data.sampling,
        own_augment=augment_of(settings),
    )


def head_lr_of(settings: Settings) -> float:
    """The peak learning rate of a run's head."""
    return settings.peak_lr * settings.optimizer.head_lr_factor


def class_weights_of(settings: Settings, data: ImageDataModule) -> torch.Tensor | None:
    """How much each class counts in a run's loss, (K,) float32; None if all count alike."""
    if settings.loss.class_weights == 0:
        return None
    labels, n_classes = data.table.labels[data.splits.train], len(data.table.classes)
    shares = class_weights(labels, n_classes, strength=settings.loss.class_weights)
    return torch.from_numpy(shares).float()
