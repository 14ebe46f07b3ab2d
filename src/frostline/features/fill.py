"""Computing the outputs that an entry lacks, if a trial shows that storing them pays."""

import itertools
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import psutil
from torch import Tensor

from frostline.data.order import BatchRows
from frostline.features.cost_model import Decision, Speeds, Work, decide_from_cost
from frostline.features.feature_entry import Entry
from frostline.features.feature_store import FeatureStore
from frostline.features.stored_file import OutputForm, Segment, open_segment
from frostline.features.view_pairs import as_pairs, count

# To an accelerator's memory over PCIe 4 x16 in practice, bytes per second.
TRANSFER_BYTES_S = 12e9
_REPORT_EVERY_S = 2.0
_MAX_SHARE_OF_MEMORY = 0.5

log = logging.getLogger(__name__)

Compute = Callable[[Sequence[BatchRows]], Iterator[Tensor]]
"""Maps batches of (row, view) pairs to their outputs, in order."""


@dataclass(frozen=True)
class Demand:
    """What the outputs are used for.

    Attributes:
        passes: Prefix passes over single images that a job would make without the store.
        jobs: Jobs that share the outputs.
        on_accelerator: Whether outputs move to another device's memory.
        is_needed: Whether the jobs cannot do without, so that what it costs decides nothing.
        beside: Outputs of the same size that the jobs have stored and still need.
    """

    passes: int
    jobs: int
    on_accelerator: bool
    is_needed: bool = False
    beside: int = 0


def fill(
    entry: Entry,
    store: FeatureStore,
    missing: Sequence[BatchRows],
    compute: Compute,
    demand: Demand,
    speeds: Speeds,
    on_progress: Callable[..., None],
) -> tuple[Decision, Segment | None]:
    """Compute and store what is missing, if that pays, which the first batches show.

    Args:
        entry: Owned by this process.
        store: Its store.
        missing: At least one batch.
        compute: The prefix.
        demand: What the outputs are used for.
        speeds: Of this machine.
        on_progress: Receives `text=`.

    Returns:
        The decision, and the new segment if outputs are stored.

    Raises:
        StoreFailedError: If they cannot be written.
    """
    running = compute(missing)
    # What kernels are prepared for a shape in its first batch is not what a batch takes.
    warm_up = min(2 if demand.on_accelerator else 1, len(missing) - 1)
    first, prefix_s = _time_first_batches(running, missing, warm_up=warm_up)
    form = OutputForm.of(first[0])
    work = Work(
        passes=demand.passes,
        missing=count(missing),
        jobs=demand.jobs,
        prefix_s=prefix_s,
        item_bytes=form.item_bytes,
        transfer_bytes_s=TRANSFER_BYTES_S if demand.on_accelerator else None,
        is_needed=demand.is_needed,
    )
    decision = decide_from_cost(
        work,
        speeds,
        max_new_bytes=store.max_new_bytes(beside=demand.beside * form.item_bytes),
        memory_bytes=int(_MAX_SHARE_OF_MEMORY * psutil.virtual_memory().available),
    )
    if not decision.reuse:
        return decision, None
    removed = store.make_room(work.missing * work.item_bytes, keep=entry.key)
    if removed:
        log.info("%d least recently used entries of stored features were removed", len(removed))
    with entry.writer(as_pairs(missing), form) as writer:
        reported_s, done = time.monotonic(), 0
        for outputs in itertools.chain(first, running):
            writer.append(outputs)
            done += len(outputs)
            if time.monotonic() - reported_s >= _REPORT_EVERY_S:
                reported_s = time.monotonic()
                on_progress(text=f"outputs of the frozen stages: {done:,} of {work.missing:,}")
        path = writer.commit()
    # What was just written needs no check; once mapped it stays readable if it is evicted.
    return decision, open_segment(path, check=False)


def _time_first_batches(
    running: Iterator[Tensor], missing: Sequence[BatchRows], *, warm_up: int
) -> tuple[list[Tensor], float]:
    """Return the first batches' outputs, and seconds per image of the last of them."""
    first: list[Tensor] = []
    seconds = 0.0
    for batch in missing[: warm_up + 1]:
        begun = time.perf_counter()
        first.append(next(running))
        seconds = (time.perf_counter() - begun) / len(batch.rows)
    return first, seconds
