"""The predictions of a run on one split, as arrays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Predictions:
    """What a run predicted for each item of one split, sorted by item.

    Attributes:
        items: Item names, `(N,)` str.
        groups: What the split keeps together (photos of one leaf share a group), `(N,)` str.
        labels: True class, `(N,)` int64.
        probs: Predicted probabilities, `(N, K)` float16 in [0, 1].
    """

    items: NDArray[np.str_]
    groups: NDArray[np.str_]
    labels: NDArray[np.int64]
    probs: NDArray[np.float16]

    @property
    def predicted(self) -> NDArray[np.int64]:
        """The most probable class, `(N,)`; the first of equals."""
        return np.asarray(self.probs.argmax(axis=1), dtype=np.int64)

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether the most probable class is the true one, `(N,)`."""
        return np.asarray(self.predicted == self.labels)
