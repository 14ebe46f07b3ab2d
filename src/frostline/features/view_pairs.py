"""Which (row, view) pairs a job will need, in the order in which it will need them.

Order and views are pure functions of seed and epoch, so before its first step a job can list every
output that it will read. Nothing else is computed, and whole batches are computed as the job would
have computed them, so that they are bit-identical to those of a job without the store.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from frostline.data.order import BatchRows, EpochSampler

# The most views of a finite augmentation: dihedral.
MAX_VIEWS = 8


def pair_codes(rows: NDArray[np.int64], views: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return one number for each (row, view)."""
    return rows * MAX_VIEWS + views


def needed_batches(
    training: EpochSampler,
    epochs: int,
    evaluation: Iterable[EpochSampler],
    *,
    first_epoch: int = 0,
) -> list[BatchRows]:
    """Return the batches that a job will read, each pair only where it comes first.

    Args:
        training: The job's own sampler; its epoch is restored afterwards.
        epochs: How many epochs at most.
        evaluation: The samplers of validation and test.
        first_epoch: The first of these epochs.
    """
    seen: set[int] = set()
    needed: list[BatchRows] = []
    before = training.epoch
    for epoch in range(first_epoch, first_epoch + epochs):
        training.set_epoch(epoch)
        needed += _unseen(list(training), seen)
    training.set_epoch(before)
    for sampler in evaluation:
        needed += _unseen(list(sampler), seen)
    return needed


def missing_batches(needed: Sequence[BatchRows], stored: NDArray[np.int64]) -> list[BatchRows]:
    """Return the needed batches without what is already stored.

    Args:
        needed: From `needed_batches`.
        stored: Codes of the stored pairs.
    """
    return _unseen(needed, set(stored.tolist()))


def count(batches: Iterable[BatchRows]) -> int:
    """Return how many pairs there are."""
    return sum(len(batch.rows) for batch in batches)


def as_pairs(batches: Sequence[BatchRows]) -> NDArray[np.int64]:
    """Return row and view of all pairs (n, 2), in order."""
    if not batches:
        return np.empty((0, 2), dtype=np.int64)
    return np.concatenate([np.stack([batch.rows, batch.views], axis=1) for batch in batches])


def _unseen(batches: Sequence[BatchRows], seen: set[int]) -> list[BatchRows]:
    """Return whole new batches as they are, then what is new in the others; adds to `seen`."""
    whole: list[BatchRows] = []
    rest: list[tuple[int, int]] = []
    for batch in batches:
        codes = pair_codes(batch.rows, batch.views).tolist()
        new = [place for place, code in enumerate(codes) if code not in seen]
        if len(new) == len(codes) == len(set(codes)):
            whole.append(batch)
            seen.update(codes)
            continue
        for place in new:
            if codes[place] not in seen:
                seen.add(codes[place])
                rest.append((int(batch.rows[place]), int(batch.views[place])))
    size = max((len(batch.rows) for batch in batches), default=1)
    for start in range(0, len(rest), size):
        pairs = np.array(rest[start : start + size], dtype=np.int64)
        whole.append(BatchRows(pairs[:, 0].copy(), pairs[:, 1].copy()))
    return whole
