"""The order of images and the choice of their views, as pure functions of seed and epoch.

Training on images and training on stored features both use them and therefore see the same images
in the same order; a resumed run continues as if it had never stopped.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Sampler

from frostline.data.seeds import derive_seed


class BatchRows(NamedTuple):
    """The table rows of a batch, and the view of each."""

    rows: NDArray[np.int64]
    views: NDArray[np.int64]


def epoch_order(
    n: int, *, seed: int, epoch: int, weights: NDArray[np.float64] | None = None
) -> NDArray[np.int64]:
    """Draw the order of n training samples in one epoch.

    Args:
        n: Number of samples.
        seed: Of the order.
        epoch: 0-based.
        weights: (n) relative probabilities; if given, n samples are drawn with replacement.

    Returns:
        (n) positions 0 .. n-1; a permutation unless `weights` are given.
    """
    generator = np.random.default_rng(derive_seed(seed, "order", epoch))
    if weights is None:
        return generator.permutation(n)
    return generator.choice(n, size=n, replace=True, p=weights / weights.sum())


def epoch_views(n: int, n_views: int, *, seed: int, epoch: int) -> NDArray[np.int64]:
    """Draw the view for each position of one epoch's order.

    Returns:
        (n) int64 in 0 .. n_views-1, uniform.
    """
    generator = np.random.default_rng(derive_seed(seed, "views", epoch))
    return generator.integers(0, n_views, size=n)


def rank_and_world_size() -> tuple[int, int]:
    """Return rank and number of processes of a distributed run; (0, 1) in any other run."""
    group = torch.distributed
    if group.is_available() and group.is_initialized():
        return group.get_rank(), group.get_world_size()
    return 0, 1


def batch_bounds(
    n: int, batch_size: int, *, training: bool, processes: int = 1
) -> list[tuple[int, int]]:
    """Return start and end of each batch.

    In training a last batch of one sample is merged with the batch before it: BatchNorm cannot
    compute the variance of one sample, and no sample may be dropped. The same holds for a last
    batch with fewer samples than processes.
    """
    starts = list(range(0, n, batch_size))
    bounds = [(start, min(start + batch_size, n)) for start in starts]
    min_samples = max(2, processes)
    if training and len(bounds) > 1 and bounds[-1][1] - bounds[-1][0] < min_samples:
        last = bounds.pop()
        bounds[-1] = (bounds[-1][0], last[1])
    return bounds


class EpochSampler(Sampler[BatchRows]):
    """Yields whole batches of table rows; Lightning calls `set_epoch` before each epoch.

    Args:
        rows: (n) table rows of one split.
        batch_size: Samples in a batch.
        seed: Of the order.
        n_views: Number of views per image; 1 if the augmentation has no finite set.
        training: Shuffle and draw views; otherwise table order and view 0.
        weights: (n) relative probabilities of the rows, for balanced sampling.
    """

    def __init__(
        self,
        rows: NDArray[np.int64],
        *,
        batch_size: int,
        seed: int,
        n_views: int,
        training: bool,
        weights: NDArray[np.float64] | None = None,
    ) -> None:
        self.rows = rows
        self.epoch = 0
        self._seed = seed
        self._n_views = n_views
        self._training = training
        self._weights = weights
        self._batch_size = batch_size

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch whose order and views are drawn."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self._bounds())

    def _bounds(self) -> list[tuple[int, int]]:
        _, processes = rank_and_world_size()
        return batch_bounds(
            len(self.rows), self._batch_size, training=self._training, processes=processes
        )

    def __iter__(self) -> Iterator[BatchRows]:
        n = len(self.rows)
        if self._training:
            order = epoch_order(n, seed=self._seed, epoch=self.epoch, weights=self._weights)
            views = epoch_views(n, self._n_views, seed=self._seed, epoch=self.epoch)
        else:
            order = np.arange(n)
            views = np.zeros(n, dtype=np.int64)
        # A process of a distributed run trains on its part of each batch, and evaluates on all.
        number, step = rank_and_world_size() if self._training else (0, 1)
        for start, end in self._bounds():
            own = slice(start + number, end, step)
            yield BatchRows(self.rows[order[own]], views[own])
