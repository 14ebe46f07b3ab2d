"""The outputs of a frozen prefix: read from the store, and computed where they are missing."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from frostline.backbones.backbone import Backbone
from frostline.backbones.compute_mode import USUAL_LAYOUT, ComputeMode, InComputeMode
from frostline.backbones.split.cut import Cut
from frostline.backbones.state_digest import digest_of
from frostline.config.versions import FEATURES_VERSION, installed_libraries
from frostline.data.image_datamodule import ImageDataModule, RowImages
from frostline.data.order import BatchRows
from frostline.features.chain import (
    Shallower,
    differ_by_rounding_only,
    find_shallower,
    notes_of,
)
from frostline.features.compute import compute_outputs, precision_context, prefix_of_images
from frostline.features.cost_model import Decision
from frostline.features.disk_speed import disk_speeds
from frostline.features.feature_entry import EntryKey, engine_name
from frostline.features.feature_store import FeatureStore, size_limit_bytes, store_folder
from frostline.features.fill import Compute, Demand, fill
from frostline.features.stored_file import Segment
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
    store = FeatureStore(store_folder(), size_limit_bytes())
    key = job.key()
    entry = store.entry(key, notes_of(job.parts))
    segments = entry.segments()
    if not missing_batches(needed, _codes(segments)):
        return StoredOutputs(segments), _all_stored(needed), 0

    def on_wait(owner: Owner | None) -> None:
        on_progress(text=f"another job computes outputs of the same frozen stages: {owner}")

    with entry.owned(on_wait):
        # A process that was waited for may have computed some or all of it.
        segments = entry.segments()
        missing = missing_batches(needed, _codes(segments))
        if not missing:
            return StoredOutputs(segments), _all_stored(needed), 0
        compute = _computation(job, store, key, missing)
        speeds = disk_speeds(store.folder)
        decision, added = fill(entry, store, missing, compute, demand, speeds, on_progress)
        if added is None:
            return None, decision, 0
        return StoredOutputs([*segments, added]), decision, count(missing)


def _all_stored(needed: Sequence[BatchRows]) -> Decision:
    return Decision(True, f"all {count(needed):,} outputs were stored before")


def _codes(segments: Sequence[Segment]) -> NDArray[np.int64]:
    return StoredOutputs(segments).codes if segments else np.empty(0, dtype=np.int64)


def _computation(
    job: PrefixJob, store: FeatureStore, key: EntryKey, missing: Sequence[BatchRows]
) -> Compute:
    """Return how to compute outputs: from images, or from a shallower prefix's stored outputs."""
    images = RowImages(job.data.pixels(job.data.evaluation), job.data.table.labels)
    prefix = job.parts.prefix.to(job.accelerator)
    if job.forward.layout != USUAL_LAYOUT:
        prefix = InComputeMode(prefix, job.accelerator, job.forward, job.forward)
    run = prefix_of_images(job.data.preprocess.to(job.accelerator), prefix)

    def from_images(batches: Sequence[BatchRows]) -> Iterator[Tensor]:
        return compute_outputs(
            run, images, batches, accelerator=job.accelerator, precision=job.forward.precision
        )

    shallower = find_shallower(store, key, job.backbone, job.parts, missing)
    if shallower is None:
        return from_images

    def from_shallower(batches: Sequence[BatchRows]) -> Iterator[Tensor]:
        return _outputs_from(shallower, batches, job.accelerator, job.forward.precision)

    first = missing[:1]
    if not differ_by_rounding_only(next(from_images(first)), next(from_shallower(first))):
        log.warning(
            "stored outputs of freeze=%s do not give those of freeze=%s, which are therefore "
            "computed from the images",
            shallower.depth.label,
            job.parts.depth.label,
        )
        return from_images
    return from_shallower


def _outputs_from(
    shallower: Shallower, batches: Sequence[BatchRows], accelerator: str, precision: str
) -> Iterator[Tensor]:
    for batch in batches:
        stored = shallower.outputs.take(batch.rows, batch.views).to(accelerator)
        with torch.inference_mode(), precision_context(accelerator, precision):
            outputs: Tensor = shallower.rest(stored)
        yield outputs.cpu()
