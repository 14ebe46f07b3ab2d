"""The one call for a run: stored outputs of the frozen prefix, or images and the reason why."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from frostline.backbones.build import Backbone
from frostline.backbones.compute_mode import USUAL_LAYOUT, ComputeMode, InComputeMode
from frostline.backbones.freezing import digest_of
from frostline.backbones.pooling import Pool
from frostline.backbones.split.cut import Cut
from frostline.config.versions import FEATURES_VERSION, installed_libraries
from frostline.data.image_datamodule import ImageDataModule, RowImages
from frostline.data.order import BatchRows
from frostline.features.chain import Shallower, agrees, find_shallower, notes_of
from frostline.features.compute import compute_outputs, precision_context, prefix_of_images
from frostline.features.cost_model import Decision, decide_from_facts
from frostline.features.disk_speed import disk_speeds
from frostline.features.entry_key import EntryKey, engine_name
from frostline.features.feature_datamodule import FeatureDataModule, PassOutputs
from frostline.features.feature_store import FeatureStore, size_limit_bytes, store_folder
from frostline.features.fill import Compute, Demand, fill
from frostline.features.stored_file import Segment, StoreFailedError
from frostline.features.stored_outputs import StoredOutputs
from frostline.features.view_pairs import count, missing_batches, needed_batches
from frostline.locks import Owner

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Inputs:
    """What a task is trained on.

    Attributes:
        data: Batches of images, or of stored outputs.
        preprocess: What the task does to a batch's inputs first.
        prefix: What runs before the suffix: the frozen stages, or nothing.
        decision: Which of the two, and why.
        computed: Prefix outputs that were computed for the store now.
    """

    data: ImageDataModule | FeatureDataModule
    preprocess: nn.Module
    prefix: nn.Module
    decision: Decision
    computed: int = 0


@dataclass(frozen=True)
class PrefixJob:
    """Which frozen stages run over which images, where and how.

    Attributes:
        backbone: The backbone, frozen to `freeze`.
        parts: Its cut.
        data: The images.
        freeze: The depth of `parts`.
        pool: The pooling of `parts`.
        accelerator: Where the run computes: `cpu`, `cuda` or `mps`.
        forward: How the prefix is computed.
        training: How what comes after it is; the same, unless a probe chose for each.
    """

    backbone: Backbone
    parts: Cut
    data: ImageDataModule
    freeze: int | str
    pool: Pool
    accelerator: str
    forward: ComputeMode
    training: ComputeMode

    def key(self) -> EntryKey:
        """What determines the outputs."""
        end = self.backbone.depth(self.freeze).boundary
        spec = self.backbone.input
        return EntryKey(
            data=self.data.table.fingerprint,
            geometry=f"{self.data.evaluation.key} mean {spec.mean} std {spec.std}",
            backbone=self.backbone.name,
            boundary=f"{f'{end.edge} {end.module}' if end else 'the end'}, pool {self.pool}",
            frozen=digest_of(self.parts.frozen_modules),
            image_size_px=spec.size_px,
            engine=engine_name(self.accelerator, str(self.forward)),
            libraries=installed_libraries(),
            features_version=FEATURES_VERSION,
        )


def open_inputs(
    job: PrefixJob,
    *,
    reuse: str,
    mix: str,
    epochs: int,
    jobs: int,
    on_progress: Callable[..., None],
    first_epoch: int = 0,
    is_last: bool = True,
) -> Inputs:
    """Decide whether a run reads stored outputs of its frozen prefix, and have them ready.

    Args:
        job: The prefix and the images.
        reuse: `auto` or `off`.
        mix: How images of a batch are mixed; `none` if they are not.
        epochs: For which the prefix is frozen: of the run, or of one phase of it, at most.
        jobs: Jobs of the sweep that share this prefix and this data, this one included.
        on_progress: Receives `text=` while outputs are computed.
        first_epoch: The first of these epochs.
        is_last: Whether the run ends with them, and the test set is looked at.

    Returns:
        Data, preprocess and prefix for the task; with stored outputs the latter two do nothing.
    """
    data, parts = job.data, job.parts
    prefix = parts.prefix
    if not job.forward == job.training == ComputeMode(job.training.precision):
        prefix = InComputeMode(prefix, job.accelerator, job.forward, job.training)
    direct = Inputs(data, data.preprocess, prefix, Decision(False, ""))
    settled = decide_from_facts(
        wanted=reuse,
        nothing_frozen=not job.backbone.depth(job.freeze).frozen,
        reusable=parts.reusable,
        cut_reason=parts.reason,
        is_finite=data.preprocess.is_finite,
        augment=data.preprocess.augment,
        mix=mix,
    )
    if settled is not None:
        return replace(direct, decision=settled)
    evaluation = [
        data.sampler(split, training=False) for split in (("val", "test") if is_last else ("val",))
    ]
    needed = needed_batches(
        data.sampler("train", training=True), epochs, evaluation, first_epoch=first_epoch
    )
    sizes = {split: len(rows) for split, rows in data.splits.named().items()}
    # Every epoch trains and validates; at the end validation and test run once more.
    passes = epochs * (sizes["train"] + sizes["val"])
    passes += sizes["val"] + sizes["test"] if is_last else 0
    demand = Demand(passes, jobs, on_accelerator=job.accelerator != "cpu")
    try:
        outputs, decision, computed = stored_outputs(job, needed, demand, on_progress)
    except StoreFailedError as failure:
        log.warning("the run goes on without the store of prefix outputs: %s", failure)
        on_progress(text=f"the run goes on without the store of prefix outputs: {failure}")
        reason = f"the store of prefix outputs cannot be written: {failure}"
        return replace(direct, decision=Decision(False, reason))
    if outputs is None:
        return replace(direct, decision=decision)
    features = FeatureDataModule(data, outputs)
    ready = PassOutputs(job.forward, job.training)
    return Inputs(features, ready, nn.Identity(), decision, computed)


def stored_outputs(
    job: PrefixJob, needed: Sequence[BatchRows], demand: Demand, on_progress: Callable[..., None]
) -> tuple[StoredOutputs | None, Decision, int]:
    """The outputs of all needed pairs, computed now where they are not stored.

    Args:
        job: The prefix and the images.
        needed: Row and view pairs, in the order of their need.
        demand: What they are wanted for, which decides whether storing pays.
        on_progress: Receives `text=`.

    Returns:
        The outputs, or None if keeping them does not pay; the decision; how many were computed.

    Raises:
        StoreFailedError: If the store cannot be written to.
    """
    store = FeatureStore(store_folder(), size_limit_bytes())
    key = job.key()
    entry = store.entry(key, notes_of(job.parts))
    segments = entry.segments()
    if not missing_batches(needed, _codes(segments)):
        return StoredOutputs(segments), _all_there(needed), 0

    def on_wait(owner: Owner | None) -> None:
        on_progress(text=f"another job computes outputs of the same frozen stages: {owner}")

    with entry.owned(on_wait):
        # Whoever was waited for may have made all of it, or a part.
        segments = entry.segments()
        missing = missing_batches(needed, _codes(segments))
        if not missing:
            return StoredOutputs(segments), _all_there(needed), 0
        compute = _way(job, store, key, missing)
        speeds = disk_speeds(store.folder)
        decision, added = fill(entry, store, missing, compute, demand, speeds, on_progress)
        if added is None:
            return None, decision, 0
        return StoredOutputs([*segments, added]), decision, count(missing)


def _all_there(needed: Sequence[BatchRows]) -> Decision:
    return Decision(True, f"all {count(needed):,} outputs were stored before")


def _codes(segments: Sequence[Segment]) -> NDArray[np.int64]:
    return StoredOutputs(segments).codes if segments else np.empty(0, dtype=np.int64)


def _way(
    job: PrefixJob, store: FeatureStore, key: EntryKey, missing: Sequence[BatchRows]
) -> Compute:
    """From images, or from a shallower prefix's stored outputs where that gives the same."""
    images = RowImages(job.data.pixels(job.data.evaluation), job.data.table.labels)
    prefix = job.parts.prefix.to(job.accelerator)
    if job.forward.layout != USUAL_LAYOUT:
        prefix = InComputeMode(prefix, job.accelerator, job.forward, job.forward)
    run = prefix_of_images(job.data.preprocess.to(job.accelerator), prefix)

    def from_images(batches: Sequence[BatchRows]) -> Iterator[Tensor]:
        return compute_outputs(
            run, images, batches, accelerator=job.accelerator, precision=job.forward.precision
        )

    shallower = find_shallower(
        store, key, job.backbone, job.parts, missing, freeze=job.freeze, pool=job.pool
    )
    if shallower is None:
        return from_images

    def from_shallower(batches: Sequence[BatchRows]) -> Iterator[Tensor]:
        return _continued(shallower, batches, job.accelerator, job.forward.precision)

    if not agrees(next(from_images(missing[:1])), next(from_shallower(missing[:1]))):
        log.warning(
            "outputs of freeze=%s do not lead to those of freeze=%s: computed from the images",
            shallower.depth,
            job.freeze,
        )
        return from_images
    return from_shallower


def _continued(
    shallower: Shallower, batches: Sequence[BatchRows], accelerator: str, precision: str
) -> Iterator[Tensor]:
    for batch in batches:
        outputs = shallower.outputs.take(batch.rows, batch.views).to(accelerator)
        with torch.inference_mode(), precision_context(accelerator, precision):
            further: Tensor = shallower.rest(outputs)
        yield further.cpu()
