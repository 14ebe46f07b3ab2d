"""Reading stored outputs by (row, view): from memory if they are few, else from mapped files."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from frostline.features.stored_file import OutputForm, Segment
from frostline.features.view_pairs import pair_codes

# Up to this size they are copied into memory once: a gather from one array is one call.
MAX_IN_MEMORY_BYTES = 256 * 2**20
_NOT_STORED = "this output is not stored"


class StoredOutputs:
    """Random access to the outputs of one prefix.

    Args:
        segments: At least one, all of one form; an output that is in several is the same in all.
    """

    def __init__(self, segments: Sequence[Segment]) -> None:
        if not segments:
            raise ValueError("no segments")
        self.form: OutputForm = segments[0].form
        # An entry's key determines the form; a file of another form is not of this entry.
        matching = [segment for segment in segments if segment.form == self.form]
        codes = np.concatenate([pair_codes(s.pairs[:, 0], s.pairs[:, 1]) for s in matching])
        order = np.argsort(codes, kind="stable")
        self.codes = codes[order]
        # A table, since this is looked up in every step: 8 bytes for each possible pair.
        self._index_of = np.full(int(self.codes.max(initial=-1)) + 1, -1, dtype=np.int64)
        self._index_of[self.codes] = order
        self._starts = np.cumsum([0, *(len(segment.pairs) for segment in matching)])
        self._parts = [segment.stored for segment in matching]
        self._whole: Tensor | None = None
        if sum(part.nbytes for part in self._parts) <= MAX_IN_MEMORY_BYTES:
            self._whole = self.form.to_outputs(np.concatenate(self._parts))

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: NDArray[np.int64], views: NDArray[np.int64]) -> Tensor:
        """Return outputs (N, *shape) of some pairs, in the memory format of their computation.

        Raises:
            KeyError: If a pair is not stored.
        """
        try:
            indices = self._index_of[pair_codes(rows, views)]
        except IndexError:
            raise KeyError(_NOT_STORED) from None
        if indices.min(initial=0) < 0:
            raise KeyError(_NOT_STORED)
        if self._whole is not None:
            return self._gather(indices)
        stored = np.empty((len(indices), self.form.item_bytes), dtype=np.uint8)
        parts = np.searchsorted(self._starts, indices, side="right") - 1
        for part in np.unique(parts):
            here = parts == part
            stored[here] = self._parts[part][indices[here] - self._starts[part]]
        return self.form.to_outputs(stored)

    def _gather(self, indices: NDArray[np.int64]) -> Tensor:
        assert self._whole is not None
        whole, index = self._whole, torch.from_numpy(indices)
        if not self.form.channels_last:
            return whole.index_select(0, index)
        # Gathered in the order of its memory, so that the format stays.
        return whole.permute(0, 2, 3, 1).index_select(0, index).permute(0, 3, 1, 2)
