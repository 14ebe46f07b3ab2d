"""One immutable file of prefix outputs: written under a temporary name, checked when it is opened.

Layout: a head of fixed size (JSON: shape, type, memory format, sizes), the outputs row after row,
then a foot: the (row, view) pair of each output, and a checksum for each batch that was written.
"""

import contextlib
import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import torch
import xxhash
from numpy.typing import NDArray
from torch import Tensor

from frostline.files import TEMPORARY_SUFFIX

MAGIC = b"frostline outputs 1\n"
HEAD_BYTES = 4096
SUFFIX = ".outputs"
# numpy has no bfloat16; bytes are bytes, so the widths alone matter.
_STORED_AS = {
    1: np.dtype(np.uint8),
    2: np.dtype(np.uint16),
    4: np.dtype(np.uint32),
    8: np.dtype(np.uint64),
}

Pairs = NDArray[np.int64]
"""(n, 2): table row and view."""
StoredBytes = NDArray[np.uint8]
"""(n, item_bytes): outputs as they lie in memory (numpy has no bfloat16)."""


class DamagedSegmentError(Exception):
    """A file whose bytes are not those that were written."""


class StoreFailedError(Exception):
    """The store cannot be written to, for want of room or rights; jobs go on without it."""


@contextlib.contextmanager
def storing() -> Iterator[None]:
    """Tell the store's own failures from those of whoever uses it.

    Raises:
        StoreFailedError: In place of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise StoreFailedError(error.strerror or str(error)) from None


@dataclass(frozen=True)
class OutputForm:
    """What one output is.

    Attributes:
        shape: Logical shape without the batch axis, such as (C, H, W).
        dtype: PyTorch's name of the type, such as `float32`.
        channels_last: Whether (H, W, C) is how it lies in memory. Convolutions round differently in
            the two formats, so the format is kept like the values.
    """

    shape: tuple[int, ...]
    dtype: str
    channels_last: bool

    @property
    def torch_dtype(self) -> torch.dtype:
        """The type itself."""
        found: torch.dtype = getattr(torch, self.dtype)
        return found

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
        """The form of a batch of outputs (B, ...)."""
        last = (
            outputs.dim() == 4
            and not outputs.is_contiguous()
            and outputs.is_contiguous(memory_format=torch.channels_last)
        )
        return cls(tuple(outputs.shape[1:]), str(outputs.dtype).removeprefix("torch."), last)

    def to_stored(self, outputs: Tensor) -> StoredBytes:
        """Outputs (B, *shape) to their bytes (B, item_bytes)."""
        if self.channels_last:
            outputs = outputs.permute(0, 2, 3, 1)
        raw: StoredBytes = outputs.contiguous().flatten().view(torch.uint8).numpy()
        return raw.reshape(len(outputs), self.item_bytes)

    def to_outputs(self, stored: StoredBytes) -> Tensor:
        """The reverse of `to_stored`; shares memory."""
        whole = torch.from_numpy(stored).view(self.torch_dtype)
        outputs = whole.view(len(stored), *self.stored_shape)
        return outputs.permute(0, 3, 1, 2) if self.channels_last else outputs


class SegmentWriter:
    """Writes outputs batch by batch; the file appears under its name only when it is whole.

    Args:
        folder: Where the file will be.
        pairs: (n, 2) what will be written, in that order.
        form: What one output is.

    Raises:
        StoreFailedError: If there is no room (asked for at once, before anything is computed).
    """

    def __init__(self, folder: Path, pairs: Pairs, form: OutputForm) -> None:
        self.path = folder / f"{uuid.uuid4().hex}{SUFFIX}"
        # Not `replacing`: the writer lives over many calls, and asks for the file's room before the
        # first of them.
        self._temporary = self.path.with_suffix(TEMPORARY_SUFFIX)
        self._pairs = np.ascontiguousarray(pairs, dtype=np.int64)
        self._form = form
        self._blocks: list[tuple[int, int]] = []
        self._written = 0
        self._data_bytes = form.item_bytes * len(pairs)
        with storing():
            self._file = self._temporary.open("wb")
        try:
            with storing():
                os.posix_fallocate(self._file.fileno(), 0, HEAD_BYTES + self._data_bytes)
                self._file.write(self._head())
        except BaseException:
            self.discard()
            raise

    def _head(self) -> bytes:
        content = {"form": asdict(self._form), "n": len(self._pairs), "bytes": self._data_bytes}
        return (MAGIC + json.dumps(content).encode()).ljust(HEAD_BYTES)

    def append(self, outputs: Tensor) -> None:
        """Write the next outputs (B, *shape), on the CPU.

        Raises:
            StoreFailedError: If the disk is full after all.
        """
        stored = self._form.to_stored(outputs)
        with storing():
            self._file.write(stored.data)
        self._blocks.append((len(outputs), xxhash.xxh3_64_intdigest(stored.data)))
        self._written += len(outputs)

    def commit(self) -> Path:
        """Put the file under its final name.

        Raises:
            StoreFailedError: If the disk is full.
        """
        if self._written != len(self._pairs):
            raise ValueError(f"{self._written} of {len(self._pairs)} outputs were written")
        blocks = np.array(self._blocks, dtype=np.uint64).reshape(-1, 2)
        foot = self._pairs.tobytes() + blocks.tobytes()
        with storing():
            self._file.write(foot)
            self._file.write(_foot_end(self._head(), foot, len(blocks)))
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._temporary.replace(self.path)
        return self.path

    def discard(self) -> None:
        """Leave nothing behind; harmless after `commit`."""
        with contextlib.suppress(OSError):
            self._file.close()
        self._temporary.unlink(missing_ok=True)

    def __enter__(self) -> "SegmentWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.discard()


def _foot_end(head: bytes, foot: bytes, n_blocks: int) -> bytes:
    checksum = xxhash.xxh3_64_intdigest(foot, seed=xxhash.xxh3_64_intdigest(head))
    return n_blocks.to_bytes(8, "little") + checksum.to_bytes(8, "little")


@dataclass(frozen=True)
class Segment:
    """An opened file.

    Attributes:
        path: The file; it may be gone by now, the values stay readable.
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
        FileNotFoundError: If it is gone.
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
            raise DamagedSegmentError(f"{path.name}: it is cut short")
        file.seek(HEAD_BYTES + data_bytes)
        tail = file.read()
        foot, end = tail[:-16], tail[-16:]
        n_blocks = int.from_bytes(end[:8], "little")
        if _foot_end(head, foot, n_blocks) != end or len(foot) != 16 * (n + n_blocks):
            raise DamagedSegmentError(f"{path.name}: its foot is damaged")
        stored = _map(path, form, n)
    pairs = np.frombuffer(foot, dtype=np.int64, count=2 * n).reshape(n, 2)
    blocks = np.frombuffer(foot, dtype=np.uint64, offset=16 * n).reshape(-1, 2)
    if check:
        _check(path, stored, blocks)
    return Segment(path, pairs, form, stored)


def _map(path: Path, form: OutputForm, n: int) -> StoredBytes:
    if n == 0:
        return np.empty((0, form.item_bytes), dtype=np.uint8)
    # "c" (copy on write): PyTorch warns about read-only memory, and nobody writes anyway.
    shape = (n, form.item_bytes)
    return np.memmap(path, dtype=np.uint8, mode="c", offset=HEAD_BYTES, shape=shape)


def _check(path: Path, stored: StoredBytes, blocks: NDArray[np.uint64]) -> None:
    start = 0
    for length, checksum in blocks.tolist():
        if xxhash.xxh3_64_intdigest(stored[start : start + length].data) != checksum:
            raise DamagedSegmentError(f"{path.name}: outputs {start} to {start + length} differ")
        start += length
    if start != len(stored):
        raise DamagedSegmentError(f"{path.name}: outputs without a checksum")
