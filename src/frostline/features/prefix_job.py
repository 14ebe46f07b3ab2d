"""A frozen prefix and the images that it runs over: as in evaluation, or of one training epoch."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from frostline.backbones.backbone import Backbone
from frostline.backbones.compute_mode import USUAL_LAYOUT, ComputeMode, InComputeMode
from frostline.backbones.split.cut import Cut
from frostline.backbones.state_digest import digest_of
from frostline.config.versions import FEATURES_VERSION, installed_libraries
from frostline.data.epoch_images import EpochImages
from frostline.data.image_datamodule import ImageDataModule, RowImages
from frostline.data.order import BatchRows
from frostline.features.chain import Found
from frostline.features.compute import BatchInputs, compute_outputs, views_of_images
from frostline.features.feature_entry import SWEEP_FIELD, EntryKey, engine_name, key_of_epoch
from frostline.plugins.own_backbones import with_code


@dataclass(frozen=True)
class PrefixJob:
    """Which frozen stages run over which images, where and how.

    Attributes:
        backbone: The backbone, frozen to the depth of `parts`.
        parts: Its cut.
        data: The images.
        accelerator: Where the run computes: `cpu`, `cuda` or `mps`.
        forward: How the prefix is computed.
        training: How the rest is computed; the same, unless a probe chose for each.
    """

    backbone: Backbone
    parts: Cut
    data: ImageDataModule
    accelerator: str
    forward: ComputeMode
    training: ComputeMode

    def key(self) -> EntryKey:
        """Return what determines the outputs."""
        end = self.parts.depth.boundary
        spec = self.backbone.input
        return EntryKey(
            data=self.data.table.fingerprint,
            geometry=f"{self.data.evaluation.key} mean {spec.mean} std {spec.std}",
            backbone=with_code(self.backbone.name),
            boundary=f"{f'{end.edge} {end.module}' if end else 'the end'}, pool {self.parts.pool}",
            frozen=digest_of(self.parts.frozen_prefix),
            image_size_px=spec.size_label,
            engine=engine_name(self.accelerator, str(self.forward)),
            libraries=installed_libraries(),
            features_version=FEATURES_VERSION,
        )

    def from_images(self, inputs: BatchInputs, batches: Sequence[BatchRows]) -> Iterator[Tensor]:
        """Run the prefix over batches of images; yields the outputs of each on the CPU."""
        prefix = self.parts.prefix.to(self.accelerator)
        if self.forward.layout != USUAL_LAYOUT:
            prefix = InComputeMode(prefix, self.accelerator, self.forward, self.forward)
        return compute_outputs(
            prefix,
            inputs,
            batches,
            accelerator=self.accelerator,
            precision=self.forward.precision,
        )


@dataclass(frozen=True)
class Source:
    """The images over which a prefix runs, and the entry of the store with its outputs.

    Attributes:
        key: What determines the outputs.
        open: Opens the images, not decoded before, and returns what makes a batch of them.
        exact: Whether outputs that a shallower entry leads to must be the same bits; if not, they
            may differ by rounding.
        notes: What is stored beside the key.
        found: What is known of shallower depths.
    """

    key: EntryKey
    open: Callable[[], BatchInputs]
    exact: bool = False
    notes: dict[str, object] = field(default_factory=dict)
    found: Found = field(default_factory=Found)


def source_of_views(job: PrefixJob) -> Source:
    """The images as in evaluation, and their views: batches hold rows of the table and views."""

    def opened() -> BatchInputs:
        images = RowImages(job.data.pixels(job.data.evaluation), job.data.table.labels)
        preprocess = job.data.preprocess.to(job.accelerator)
        return views_of_images(preprocess, images, job.accelerator)

    return Source(job.key(), opened)


def source_of_epoch(
    job: PrefixJob, key: EntryKey, images: EpochImages, epoch: int, sweep: str, found: Found
) -> Source:
    """The augmented training images of one epoch: batches hold places in its order.

    Args:
        job: The prefix.
        key: Of the same prefix over images as in evaluation.
        images: The epoch's.
        epoch: 0-based.
        sweep: Whose end removes them.
        found: What earlier epochs found out about shallower depths.
    """

    def opened() -> BatchInputs:
        images.open()
        return lambda places: images.inputs(places, job.accelerator)

    return Source(
        key_of_epoch(key, images.recipe, epoch),
        opened,
        exact=True,
        notes={SWEEP_FIELD: sweep},
        found=found,
    )
