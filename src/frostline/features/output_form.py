"""The form of stored outputs: shape, type and memory format, and their bytes."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

StoredBytes = NDArray[np.uint8]
"""(n, item_bytes): outputs as they lie in memory (numpy has no bfloat16)."""
_MAP_NDIM = 4


@dataclass(frozen=True)
class OutputForm:
    """What one output is.

    Attributes:
        shape: Logical shape without the batch axis, such as (C, H, W).
        dtype: PyTorch's name of the type, such as `float32`.
        channels_last: Whether it lies in memory as (H, W, C). Convolutions round differently in
            the two formats, so the format is stored with the values.
    """

    shape: tuple[int, ...]
    dtype: str
    channels_last: bool

    @property
    def torch_dtype(self) -> torch.dtype:
        """The type itself."""
        dtype: torch.dtype = getattr(torch, self.dtype)
        return dtype

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """The shape as it lies in memory."""
        if self.channels_last:
            channels, height, width = self.shape
            return (height, width, channels)
        return self.shape

    @property
    def item_bytes(self) -> int:
        """Bytes of one output."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.torch_dtype.itemsize

    @classmethod
    def of(cls, outputs: Tensor) -> "OutputForm":
        """Return the form of a batch of outputs (N, ...)."""
        channels_last = (
            outputs.dim() == _MAP_NDIM
            and not outputs.is_contiguous()
            and outputs.is_contiguous(memory_format=torch.channels_last)
        )
        dtype = str(outputs.dtype).removeprefix("torch.")
        return cls(tuple(outputs.shape[1:]), dtype, channels_last)

    def to_stored(self, outputs: Tensor) -> StoredBytes:
        """Convert outputs (N, *shape) to their bytes (N, item_bytes)."""
        if self.channels_last:
            outputs = outputs.permute(0, 2, 3, 1)
        raw: StoredBytes = outputs.contiguous().flatten().view(torch.uint8).numpy()
        return raw.reshape(len(outputs), self.item_bytes)

    def to_outputs(self, stored: StoredBytes) -> Tensor:
        """Undo `to_stored`; the result shares the memory of its argument."""
        flat = torch.from_numpy(stored).view(self.torch_dtype)
        outputs = flat.view(len(stored), *self.stored_shape)
        return outputs.permute(0, 3, 1, 2) if self.channels_last else outputs
