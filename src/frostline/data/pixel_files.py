"""Files of decoded images: one for each set of images and square, filled in one pass over both."""

import hashlib
import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from frostline.cores import usable_cores
from frostline.data.cache import cache_folder, evict
from frostline.data.geometry import Geometry, square
from frostline.data.pixel_access import Images, sums_of
from frostline.data.progress_bar import show_progress
from frostline.data.sample_table import SampleTable
from frostline.files import replacing
from frostline.locks import OwnerLock

# Raised when decoding or geometry change what is stored.
#   2  Bytes are compared with the digests of the scan; pixels of changed files may be among older.
#   3  A checksum for each image.
PIXELS_VERSION = 3
SUMS = ".sums"


def path_of(table: SampleTable, geometry: Geometry) -> Path:
    """The file of a table's images as squares; it may be missing."""
    text = f"{PIXELS_VERSION}\0{table.fingerprint}\0{geometry.key}"
    return cache_folder("pixels") / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.npy"


def lock_of(path: Path) -> Path:
    """The lock of whoever makes such a file."""
    return path.with_name(f"{path.name}.lock")


def bytes_of(table: SampleTable, geometry: Geometry) -> int:
    """What a table's images take as squares."""
    return len(table) * math.prod(geometry.shape) * geometry.in_chans


@contextmanager
def others_to_store(
    table: SampleTable, also: Sequence[Geometry], *, room_bytes: float
) -> Iterator[list[Geometry]]:
    """Yield the squares that are still to be stored and fit, owned until the block ends.

    One that another process works on is left to it: nobody waits for a file while owning another.

    Args:
        table: The images.
        also: The squares.
        room_bytes: For all of them.
    """
    with ExitStack() as owned:
        chosen: list[Geometry] = []
        for geometry in dict.fromkeys(also):
            other, size = path_of(table, geometry), bytes_of(table, geometry)
            if other.exists() or size > room_bytes:
                continue
            lock = OwnerLock(lock_of(other))
            if lock.try_acquire():
                owned.callback(lock.release, remove=False)
                if not other.exists():
                    chosen.append(geometry)
                    room_bytes -= size
        yield chosen


def store_pixels(table: SampleTable, geometries: Sequence[Geometry]) -> None:
    """Decode each image once into a file for each square, named when all are complete.

    Args:
        table: The images.
        geometries: The squares, whose files this process owns.

    Raises:
        OSError: If they cannot be written; none has its name then.
        DataChangedError: If a file holds other bytes than when the table was made.
    """
    first = path_of(table, geometries[0])
    evict(first.parent, room_bytes=sum(bytes_of(table, geometry) for geometry in geometries))
    sums = {}
    with ExitStack() as files:
        arrays: list[Images] = []
        for geometry in geometries:
            temporary = files.enter_context(replacing(path_of(table, geometry)))
            shape = (len(table), *geometry.shape, geometry.in_chans)
            arrays.append(
                np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
            )
            _reserve(temporary)
        decode_all(table, geometries, arrays)
        for geometry, array in zip(geometries, arrays, strict=True):
            assert isinstance(array, np.memmap)
            array.flush()
            sums[path_of(table, geometry)] = sums_of(array)
    for path, values in sums.items():
        with replacing(path.with_suffix(SUMS)) as temporary:
            temporary.write_bytes(values.tobytes())


def _reserve(path: Path) -> None:
    """Allocate all blocks of a new file now.

    If the disk becomes full while a mapped file is written, the system kills the process.

    Raises:
        OSError: If there is not enough space.
    """
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as handle:
            os.posix_fallocate(handle.fileno(), 0, path.stat().st_size)


def decode_all(
    table: SampleTable, geometries: Sequence[Geometry], arrays: Sequence[Images]
) -> None:
    """Fill (N, S, S, C) for each square in threads: Pillow and numpy release Python's lock."""

    def decode(row: int) -> None:
        image = table.open_image(table.items[row])
        for geometry, array in zip(geometries, arrays, strict=True):
            array[row] = square(image, geometry)

    with (
        ThreadPoolExecutor(usable_cores()) as pool,
        show_progress("decoding images", len(table)) as advance,
    ):
        for _ in pool.map(decode, range(len(table))):
            advance(1)
