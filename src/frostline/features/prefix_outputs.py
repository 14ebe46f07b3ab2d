"""The outputs of a frozen prefix: read from the store, and computed where they are missing."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from frostline.backbones.backbone import Backbone
from frostline.backbones.compute_mode import USUAL_LAYOUT, ComputeMode, InComputeMode
from frostline.backbones.split.cut import Cut
from frostline.backbones.state_digest import digest_of
from frostline.config.versions import FEATURES_VERSION, installed_libraries
from frostline.data.epoch_images import EpochImages
from frostline.data.image_datamodule import ImageDataModule, RowImages
from frostline.data.order import BatchRows
from frostline.features.chain import (
    Found,
    Shallower,
    differ_by_rounding_only,
    find_shallower,
    notes_of,
)
from frostline.features.compute import (
    BatchInputs,
    compute_outputs,
    precision_context,
    views_of_images,
)
from frostline.features.cost_model import Decision
from frostline.features.disk_speed import disk_speeds
from frostline.features.feature_entry import (
    SWEEP_FIELD,
    Entry,
    EntryKey,
    engine_name,
    key_of_epoch,
)
from frostline.features.feature_store import FeatureStore, size_limit_bytes, store_folder
from frostline.features.fill import Compute, Demand, fill
from frostline.features.stored_file import OutputForm, Segment
from frostline.features.stored_outputs import StoredOutputs
from frostline.features.view_pairs import count, missing_batches
from frostline.locks import Owner
from frostline.plugins.own_backbones import with_code

log = logging.getLogger(__name__)


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
            frozen=digest_of(self.parts.frozen_modules),
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


def prepare_outputs(
    job: PrefixJob, needed: Sequence[BatchRows], demand: Demand, on_progress: Callable[..., None]
) -> tuple[StoredOutputs | None, Decision, int]:
    """Return the outputs of all needed pairs, computed now where they are not stored.

    Args:
        job: The prefix and the images.
        needed: Row and view pairs, in the order in which they will be read.
        demand: What they are used for, which decides whether storing pays.
        on_progress: Receives `text=`.

    Returns:
        The outputs, or None if storing them does not pay; the decision; how many were computed.

    Raises:
        StoreFailedError: If the store cannot be written to.
    """
    return prepare_outputs_of(job, source_of_views(job), needed, demand, on_progress)


def prepare_outputs_of(
    job: PrefixJob,
    source: Source,
    needed: Sequence[BatchRows],
    demand: Demand,
    on_progress: Callable[..., None],
) -> tuple[StoredOutputs | None, Decision, int]:
    """Return outputs of a prefix over the images of some source: see `prepare_outputs`."""
    store = FeatureStore(store_folder(), size_limit_bytes())
    entry = store.entry(source.key, notes_of(job.parts) | source.notes)
    outputs = stored_outputs(entry, needed)
    if outputs is not None:
        return outputs, _all_stored(needed), 0

    def on_wait(owner: Owner | None) -> None:
        on_progress(text=f"another job computes outputs of the same frozen stages: {owner}")

    with entry.owned(on_wait):
        # A process that was waited for may have computed some or all of it.
        segments = entry.segments()
        missing = missing_batches(needed, _codes(segments))
        if not missing:
            return StoredOutputs(segments), _all_stored(needed), 0
        compute = _computation(job, store, source, missing)
        speeds = disk_speeds(store.folder)
        decision, added = fill(entry, store, missing, compute, demand, speeds, on_progress)
        if added is None:
            return None, decision, 0
        return StoredOutputs([*segments, added]), decision, count(missing)


def stored_outputs(entry: Entry, needed: Sequence[BatchRows]) -> StoredOutputs | None:
    """Return an entry's outputs, if all that is needed is there."""
    segments = entry.segments()
    if missing_batches(needed, _codes(segments)):
        return None
    return StoredOutputs(segments)


def _all_stored(needed: Sequence[BatchRows]) -> Decision:
    return Decision(True, f"all {count(needed):,} outputs were stored before")


def _codes(segments: Sequence[Segment]) -> NDArray[np.int64]:
    return StoredOutputs(segments).codes if segments else np.empty(0, dtype=np.int64)


def _computation(
    job: PrefixJob, store: FeatureStore, source: Source, missing: Sequence[BatchRows]
) -> Compute:
    """Return how to compute outputs: from images, or from a shallower prefix's stored outputs."""
    inputs = source.open()  # here, because the first batches are timed

    def from_images(batches: Sequence[BatchRows]) -> Iterator[Tensor]:
        return job.from_images(inputs, batches)

    continued = ContinuedOutputs.find(job, store, source, missing)
    return from_images if continued is None else continued.compute


class ContinuedOutputs:
    """The outputs of a prefix computed from the stored ones of a shallower prefix, when asked for.

    Args:
        job: The deeper prefix.
        shallower: What it continues.
    """

    def __init__(self, job: PrefixJob, shallower: Shallower) -> None:
        self._job = job
        self._shallower = shallower

    @classmethod
    def find(
        cls, job: PrefixJob, store: FeatureStore, source: Source, wanted: Sequence[BatchRows]
    ) -> "ContinuedOutputs | None":
        """Find a shallower prefix that leads to the same outputs, which the first batch shows.

        Args:
            job: The deeper prefix.
            store: Where to look.
            source: The images.
            wanted: Batches that will be asked for, at least one.
        """
        shallower = find_shallower(store, source.key, job.backbone, job.parts, wanted, source.found)
        if shallower is None:
            return None
        continued, first = cls(job, shallower), wanted[:1]
        direct = next(job.from_images(source.open(), first))
        same = same_bits if source.exact else differ_by_rounding_only
        if same(direct, next(continued.compute(first))):
            return continued
        log.warning(
            "stored outputs of freeze=%s do not give those of freeze=%s, which are therefore "
            "computed from the images",
            shallower.depth.label,
            job.parts.depth.label,
        )
        return None

    def compute(self, batches: Sequence[BatchRows]) -> Iterator[Tensor]:
        """Yield the outputs of one batch after another, on the CPU."""
        return _outputs_from(
            self._shallower, batches, self._job.accelerator, self._job.forward.precision
        )

    def take(self, rows: NDArray[np.int64], views: NDArray[np.int64]) -> Tensor:
        """Compute the outputs of a batch, as `StoredOutputs.take` reads them."""
        # A copy, since autograd keeps no tensors that were made in inference mode.
        return next(self.compute([BatchRows(rows, views)])).clone()


def same_bits(one: Tensor, other: Tensor) -> bool:
    """Return whether two outputs are equal bit by bit, in one type and memory format."""
    return OutputForm.of(one) == OutputForm.of(other) and torch.equal(one, other)


def _outputs_from(
    shallower: Shallower, batches: Sequence[BatchRows], accelerator: str, precision: str
) -> Iterator[Tensor]:
    for batch in batches:
        stored = shallower.outputs.take(batch.rows, batch.views).to(accelerator)
        with torch.inference_mode(), precision_context(accelerator, precision):
            outputs: Tensor = shallower.rest(stored)
        yield outputs.cpu()
