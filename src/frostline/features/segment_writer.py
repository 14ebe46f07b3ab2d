"""Writing a segment: batch by batch under a temporary name, renamed when it is whole."""

import contextlib
import json
import os
import uuid
from dataclasses import asdict
from pathlib import Path
from types import TracebackType

import numpy as np
import xxhash
from torch import Tensor

from frostline.features.stored_file import (
    HEAD_BYTES,
    MAGIC,
    SUFFIX,
    OutputForm,
    Pairs,
    foot_end,
    store_errors,
)
from frostline.files import TEMPORARY_SUFFIX


class SegmentWriter:
    """Writes outputs batch by batch; the file appears under its name only when it is whole.

    Args:
        folder: Where the file will be.
        pairs: (n, 2) row and view of what will be written, in this order.
        form: What one output is.

    Raises:
        StoreFailedError: If there is no space (reserved at once, before anything is computed).
    """

    def __init__(self, folder: Path, pairs: Pairs, form: OutputForm) -> None:
        self.path = folder / f"{uuid.uuid4().hex}{SUFFIX}"
        # Not `replacing`: the writer lives over many calls, and reserves the file's space before
        # the first of them.
        self._temporary = self.path.with_suffix(TEMPORARY_SUFFIX)
        self._pairs = np.ascontiguousarray(pairs, dtype=np.int64)
        self._form = form
        self._blocks: list[tuple[int, int]] = []
        self._written = 0
        self._data_bytes = form.item_bytes * len(pairs)
        with store_errors():
            self._file = self._temporary.open("wb")
        try:
            with store_errors():
                os.posix_fallocate(self._file.fileno(), 0, HEAD_BYTES + self._data_bytes)
                self._file.write(self._head())
        except BaseException:
            self.discard()
            raise

    def _head(self) -> bytes:
        content = {"form": asdict(self._form), "n": len(self._pairs), "bytes": self._data_bytes}
        return (MAGIC + json.dumps(content).encode()).ljust(HEAD_BYTES)

    def append(self, outputs: Tensor) -> None:
        """Write the next outputs (N, *shape), on the CPU.

        Raises:
            StoreFailedError: If the disk is full all the same.
        """
        stored = self._form.to_stored(outputs)
        with store_errors():
            self._file.write(stored.data)
        self._blocks.append((len(outputs), xxhash.xxh3_64_intdigest(stored.data)))
        self._written += len(outputs)

    def commit(self) -> Path:
        """Give the file its final name.

        Raises:
            ValueError: If not all outputs were written.
            StoreFailedError: If the disk is full.
        """
        if self._written != len(self._pairs):
            raise ValueError(f"{self._written} of {len(self._pairs)} outputs were written")
        blocks = np.array(self._blocks, dtype=np.uint64).reshape(-1, 2)
        foot = self._pairs.tobytes() + blocks.tobytes()
        with store_errors():
            self._file.write(foot)
            self._file.write(foot_end(self._head(), foot, len(blocks)))
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._temporary.replace(self.path)
        return self.path

    def discard(self) -> None:
        """Remove the temporary file; does nothing after `commit`."""
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
