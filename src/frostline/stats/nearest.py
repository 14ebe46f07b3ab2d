"""How far vectors are from their nearest neighbours in a reference, by angle."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
# Neighbours whose k-th counts: one alone may be an odd picture itself.
NEIGHBOUR = 5
_CHUNK = 1024


def neighbour_distances(vectors: Floats, reference: Floats, *, k: int = NEIGHBOUR) -> Floats:
    """Return the distance to the k-th nearest vector of a reference.

    Args:
        vectors: (M, F), any scale.
        reference: (N, F), at least one.
        k: Which neighbour; the last one of fewer.

    Returns:
        (M) Euclidean distances of vectors of length one, 0 .. 2.

    Source:
        Sun, Ming, Zhu and Li, "Out-of-distribution detection with deep nearest neighbors", ICML
        2022 (arXiv:2204.06507).
    """
    unit, units = _unit(vectors), _unit(reference)
    place = min(k, len(units)) - 1
    distances = np.empty(len(unit), dtype=np.float32)
    for start in range(0, len(unit), _CHUNK):
        cosines = unit[start : start + _CHUNK] @ units.T
        nearest = -np.partition(-cosines, place, axis=1)[:, place]
        distances[start : start + _CHUNK] = np.sqrt(np.maximum(2 - 2 * nearest, 0))
    return distances


def _unit(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), dtype=np.float32)
