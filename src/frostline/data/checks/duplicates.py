"""Find images that occur twice: equal to the byte, or nearly equal."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

# Bits of 64 that may differ between images that count as the same. Source: imagededup's default of
# 10 is for finding candidates; with 6, false pairs are rare among photos on plain backgrounds.
MAX_BITS = 6
# Mean difference of 8-bit thumbnails: a second test of pairs with similar hashes.
MAX_DIFFERENCE = 10.0
MIN_CORRELATION = 0.95
BLOCK = 2048

Pairs = NDArray[np.int64]


@dataclass(frozen=True)
class Duplicates:
    """Pairs of rows (P, 2), the smaller row first: equal bytes, and nearly equal images."""

    exact: Pairs
    near: Pairs

    def both(self) -> Pairs:
        """Return exact and near pairs together."""
        return np.concatenate([self.exact, self.near])

    def join(self, groups: NDArray[np.str_]) -> NDArray[np.int64]:
        """Merge groups that share an image.

        Args:
            groups: (N) group of each image.

        Returns:
            (N) int64, the merged group of each image.
        """
        ids = np.unique(groups, return_inverse=True)[1]
        one, other = ids[self.both()].T
        n_groups = int(ids.max()) + 1
        links = coo_matrix((np.ones(len(one)), (one, other)), shape=(n_groups, n_groups))
        return np.asarray(connected_components(links, directed=False)[1][ids], dtype=np.int64)


def find_duplicates(thumbnails: NDArray[np.uint8], digests: tuple[str, ...] | None) -> Duplicates:
    """Find all pairs of images that show the same picture.

    Args:
        thumbnails: (N, 32, 32, 3) uint8.
        digests: (N) digests of the files' bytes; None for images that are not files.

    Returns:
        Exact pairs by digest, and other pairs by perceptual hash and thumbnail. Mirrored,
        rotated and strongly cropped copies are not found.
    """
    exact = _equal_pairs(digests or [one.tobytes().hex() for one in thumbnails])
    near = _near_pairs(thumbnails)
    exact_pairs = set(map(tuple, exact.tolist()))
    others = [pair for pair in map(tuple, near.tolist()) if pair not in exact_pairs]
    return Duplicates(exact, np.array(others, dtype=np.int64).reshape(-1, 2))


def perceptual_hash(thumbnails: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Compute the signs of the lowest frequencies of each image.

    Args:
        thumbnails: (N, 32, 32, 3) uint8.

    Returns:
        (N, 64) bits.

    Source: pHash, as in https://github.com/JohannesBuchner/imagehash: the 8 x 8 lowest
    coefficients of the cosine transform, above or below their median.
    """
    grey = thumbnails @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    low = dctn(grey, axes=(1, 2))[:, :8, :8].reshape(len(grey), 64)
    return np.asarray(low > np.median(low, axis=1, keepdims=True))


def _equal_pairs(keys: Sequence[str]) -> Pairs:
    """Pair each image that is equal to an earlier one with the first of them."""
    first: dict[str, int] = {}
    earlier = [first.setdefault(key, row) for row, key in enumerate(keys)]
    pairs = [(before, row) for row, before in enumerate(earlier) if before < row]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _near_pairs(thumbnails: NDArray[np.uint8]) -> Pairs:
    """Find pairs whose hashes and thumbnails are both close, by blocks of a matrix product."""
    signs = np.where(perceptual_hash(thumbnails), 1, -1).astype(np.float32)
    blocks: list[Pairs] = []
    for start in range(0, len(signs), BLOCK):
        # Equal bits minus different bits is 64 - 2 * distance.
        agreement = signs[start : start + BLOCK] @ signs[start:].T
        one, other = np.nonzero(agreement >= 64 - 2 * MAX_BITS)
        later = other > one
        blocks.append(np.stack([one[later], other[later]], axis=1) + start)
    pairs = np.concatenate(blocks)
    close = [_is_close(thumbnails[one], thumbnails[other]) for one, other in pairs.tolist()]
    return np.asarray(pairs[np.array(close, dtype=bool)])


def _is_close(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    first, second = one.astype(np.float64).ravel(), other.astype(np.float64).ravel()
    if np.abs(first - second).mean() > MAX_DIFFERENCE:
        return False
    # Images that are mostly one colour differ little, so the deviations must agree as well.
    first, second = first - first.mean(), second - second.mean()
    length = np.linalg.norm(first) * np.linalg.norm(second)
    return bool(length == 0 or first @ second >= MIN_CORRELATION * length)
