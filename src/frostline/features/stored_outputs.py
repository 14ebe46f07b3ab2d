"""Reading stored outputs by (row, view): from memory where they are few, else from mapped files."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from frostline.features.stored_file import OutputForm, Segment
from frostline.features.view_pairs import pair_codes

# Fewer bytes than this are copied into memory once: a gather from one array is one call.
IN_MEMORY_BYTES = 256 * 2**20
_NOT_STORED = "an output was asked for that is not stored"


class StoredOutputs:
    """Random access to the outputs of one prefix.

    Args:
        segments: At least one, all of one form, together without duplicates that differ.
    """

    def __init__(self, segments: Sequence[Segment]) -> None:
        if not segments:
            raise ValueError("no segments")
        self.form: OutputForm = segments[0].form
        # An entry's key settles the form; a file that differs was not written by this code.
        chosen = [segment for segment in segments if segment.form == self.form]
        codes = np.concatenate([pair_codes(s.pairs[:, 0], s.pairs[:, 1]) for s in chosen])
        order = np.argsort(codes, kind="stable")
        self.codes = codes[order]
        # A table of places, since this is looked up in every step: 8 bytes for each possible pair.
        self._place_of = np.full(int(self.codes.max(initial=-1)) + 1, -1, dtype=np.int64)
        self._place_of[self.codes] = order
        self._starts = np.cumsum([0, *(len(segment.pairs) for segment in chosen)])
        self._parts = [segment.stored for segment in chosen]
        self._whole: Tensor | None = None
        if sum(part.nbytes for part in self._parts) <= IN_MEMORY_BYTES:
            self._whole = self.form.to_outputs(np.concatenate(self._parts))

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: NDArray[np.int64], views: NDArray[np.int64]) -> Tensor:
        """Outputs (B, *shape) of some pairs, in the memory format in which they were computed.

        Raises:
            KeyError: If a pair is not stored.
        """
        try:
            places = self._place_of[pair_codes(rows, views)]
        except IndexError:
            raise KeyError(_NOT_STORED) from None
        if places.min(initial=0) < 0:
            raise KeyError(_NOT_STORED)
        if self._whole is not None:
            return self._gather(places)
        stored = np.empty((len(places), self.form.item_bytes), dtype=np.uint8)
        parts = np.searchsorted(self._starts, places, side="right") - 1
        for part in np.unique(parts):
            here = parts == part
            stored[here] = self._parts[part][places[here] - self._starts[part]]
        return self.form.to_outputs(stored)

    def _gather(self, places: NDArray[np.int64]) -> Tensor:
        assert self._whole is not None
        whole, index = self._whole, torch.from_numpy(places)
        if not self.form.channels_last:
            return whole.index_select(0, index)
        # Gathered as it lies in memory, so that the format stays.
        return whole.permute(0, 2, 3, 1).index_select(0, index).permute(0, 3, 1, 2)
