"""Files in the IDX format of MNIST and its relatives: one array a file, gzipped or not.

Two zero bytes, the type of the values, the number of dimensions, each dimension as four bytes, the
most significant first, then the values (https://yann.lecun.org/exdb/mnist/, "the IDX file format").
"""

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.errors import DataError

_TYPES: dict[int, np.dtype[Any]] = {
    0x08: np.dtype("u1"),
    0x09: np.dtype("i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
_GZIP = b"\x1f\x8b"
_MAX_BYTES = 16 * 2**30


def read_idx(path: Path) -> NDArray[Any]:
    """Read one array.

    Args:
        path: The file, gzipped or not, whatever its name says.

    Raises:
        DataError: If it is damaged, cut, or no such file.
    """
    data = _bytes_of(path)
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in _TYPES or data[3] == 0:
        raise _unreadable(path, f"it begins with {data[:4].hex(' ')}, and not as an IDX file does")
    dtype, n_dims = _TYPES[data[2]], data[3]
    start = 4 + 4 * n_dims
    if len(data) < start:
        raise _unreadable(path, "it ends within its head")
    shape = struct.unpack(f">{n_dims}I", data[4:start])
    wanted, there = math.prod(shape) * dtype.itemsize, len(data) - start
    if wanted != there:
        size = " x ".join(map(str, shape))
        raise _unreadable(path, f"its head promises {size} values, {wanted} bytes; it has {there}")
    values: NDArray[Any] = np.frombuffer(data, dtype, offset=start).reshape(shape)
    return values


def _bytes_of(path: Path) -> bytes:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from None
    if not raw.startswith(_GZIP):
        return raw
    # Bounded, since a small file can be unpacked to any size.
    try:
        with gzip.open(path) as file:
            data = file.read(_MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(path, f"it cannot be unpacked: {error}") from None
    if len(data) > _MAX_BYTES:
        raise _unreadable(path, f"unpacked it has more than {_MAX_BYTES // 2**30} GiB")
    return data


def _unreadable(path: Path, reason: str) -> DataError:
    return DataError(
        f"{path}: {reason}",
        "a whole IDX file, gzipped or not",
        "fetch it once more: a download that was interrupted looks like this",
    )
