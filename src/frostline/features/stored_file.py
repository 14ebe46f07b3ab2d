"""One immutable file of prefix outputs (a segment of a store entry): its layout, and opening it.

Layout: a head of fixed size (JSON: shape, type, memory format, sizes), the outputs row after row,
then a foot: the (row, view) pair of each output, and a checksum for each batch that was written.
"""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import xxhash
from numpy.typing import NDArray
from torch import Tensor

MAGIC = b"frostline outputs 1\n"
HEAD_BYTES = 4096
SUFFIX = ".outputs"
_MAP_NDIM = 4

Pairs = NDArray[np.int64]
"""(n, 2): table row and view."""
StoredBytes = NDArray[np.uint8]
"""(n, item_bytes): outputs as they lie in memory (numpy has no bfloat16)."""


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


class DamagedSegmentError(Exception):
    """A file whose bytes are not those that were written."""


class StoreFailedError(Exception):
    """The store cannot be written to: no space or no permission. Jobs continue without it."""


@contextlib.contextmanager
def store_errors() -> Iterator[None]:
    """Raise an OSError of this block as the store's own error.

    Raises:
        StoreFailedError: In place of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise StoreFailedError(error.strerror or str(error)) from None


def foot_end(head: bytes, foot: bytes, n_blocks: int) -> bytes:
    """Return the last 16 bytes of a file: how many blocks it has, and the checksum of its foot."""
    checksum = xxhash.xxh3_64_intdigest(foot, seed=xxhash.xxh3_64_intdigest(head))
    return n_blocks.to_bytes(8, "little") + checksum.to_bytes(8, "little")


@dataclass(frozen=True)
class Segment:
    """An opened file.

    Attributes:
        path: The file; even if it has been removed since, the values stay readable.
        pairs: (n, 2) table row and view of each output.
        form: What one output is.
        stored: (n, item_bytes), mapped from the file.
    """

    path: Path
    pairs: Pairs
    form: OutputForm
    stored: StoredBytes


def open_segment(path: Path, *, check: bool = True) -> Segment:
    """Open a file of outputs.

    Args:
        path: The file.
        check: Compare the checksums of all outputs, which reads them all once.

    Raises:
        DamagedSegmentError: If it is not what was written.
        FileNotFoundError: If it has been removed.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        try:
            content = json.loads(head.removeprefix(MAGIC))
            form = OutputForm(
                tuple(content["form"]["shape"]),
                content["form"]["dtype"],
                content["form"]["channels_last"],
            )
            n, data_bytes = int(content["n"]), int(content["bytes"])
            consistent = head.startswith(MAGIC) and data_bytes == n * form.item_bytes
        except (ValueError, KeyError, TypeError, AttributeError):
            raise DamagedSegmentError(f"{path.name}: its head is damaged") from None
        if not consistent or size < HEAD_BYTES + data_bytes + 16:
            raise DamagedSegmentError(f"{path.name}: it is too short")
        file.seek(HEAD_BYTES + data_bytes)
        tail = file.read()
        foot, end = tail[:-16], tail[-16:]
        n_blocks = int.from_bytes(end[:8], "little")
        if foot_end(head, foot, n_blocks) != end or len(foot) != 16 * (n + n_blocks):
            raise DamagedSegmentError(f"{path.name}: its foot is damaged")
        stored = _map(path, form, n)
    pairs = np.frombuffer(foot, dtype=np.int64, count=2 * n).reshape(n, 2)
    blocks = np.frombuffer(foot, dtype=np.uint64, offset=16 * n).reshape(-1, 2)
    if check:
        _check_blocks(path, stored, blocks)
    return Segment(path, pairs, form, stored)


def _map(path: Path, form: OutputForm, n: int) -> StoredBytes:
    if n == 0:
        return np.empty((0, form.item_bytes), dtype=np.uint8)
    # "c" (copy on write), because PyTorch warns about read-only memory; nothing is written.
    shape = (n, form.item_bytes)
    return np.memmap(path, dtype=np.uint8, mode="c", offset=HEAD_BYTES, shape=shape)


def _check_blocks(path: Path, stored: StoredBytes, blocks: NDArray[np.uint64]) -> None:
    start = 0
    for length, checksum in blocks.tolist():
        if xxhash.xxh3_64_intdigest(stored[start : start + length].data) != checksum:
            raise DamagedSegmentError(f"{path.name}: outputs {start} to {start + length} differ")
        start += length
    if start != len(stored):
        raise DamagedSegmentError(f"{path.name}: outputs without a checksum")
