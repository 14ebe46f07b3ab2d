"""The outputs of a frozen prefix: read from the store, and computed where they are missing."""

import logging
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from frostline.data.order import BatchRows
from frostline.features.chain import (
    Shallower,
    differ_by_rounding_only,
    find_shallower,
    notes_of,
)
from frostline.features.compute import (
    precision_context,
)
from frostline.features.cost_model import Decision
from frostline.features.disk_speed import disk_speeds
from frostline.features.feature_entry import (
    Entry,
)
from frostline.features.feature_store import FeatureStore, size_limit_bytes, store_folder
from frostline.features.fill import Compute, Demand, fill
from frostline.features.prefix_job import PrefixJob, Source, source_of_views
from frostline.features.stored_file import OutputForm, Segment
from frostline.features.stored_outputs import StoredOutputs
from frostline.features.view_pairs import count, missing_batches
from frostline.locks import Owner

log = logging.getLogger(__name__)


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
        on_progress(text=f"another process computes outputs of the same frozen stages: {owner}")

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
