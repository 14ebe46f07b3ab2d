"""Images decoded once and stored as uint8 squares: in memory, or mapped from a file.

Jobs of a sweep share the file: the first decodes while the others wait for its lock.
"""

import hashlib
import logging
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil

from frostline.config.image_size import size_label
from frostline.cores import usable_cores
from frostline.data.cache import cache_folder, evict
from frostline.data.geometry import Geometry
from frostline.data.pixel_access import (
    Images,
    MappedPixels,
    OnTheFlyPixels,
    Pixels,
    StoredPixels,
    sums_of,
)
from frostline.data.progress_bar import show_progress
from frostline.data.sample_table import SampleTable
from frostline.files import replacing
from frostline.locks import exclusive

# Raised when decoding or geometry change what is stored.
#   2  Bytes are compared with the digests of the scan; pixels of changed files may be among older.
#   3  A checksum for each image.
PIXELS_VERSION = 3
GIB = 2**30
# What numpy raises for a file whose header or length is wrong.
_DAMAGE = (ValueError, OSError, EOFError, SyntaxError, TypeError, OverflowError, MemoryError)
# Decoded images use at most this share of the free space, in memory and on disk.
FREE_SHARE = 0.5

log = logging.getLogger(__name__)
_SUMS = ".sums"


def open_pixels(table: SampleTable, geometry: Geometry, *, memory_gib: float) -> Pixels:
    """Open the images of a table in one geometry, from the cache if they were decoded before.

    Args:
        table: The images.
        geometry: The square they become.
        memory_gib: Images are held in memory up to this size, and up to half of the free memory.
            Larger sets are mapped from the cache's file, or decoded on the fly if the disk has no
            room for it.

    Raises:
        DataChangedError: If a file holds other bytes than when the table was made.
    """
    on_the_fly = OnTheFlyPixels(table.open_image, table.items, geometry)
    shape = (len(table), *geometry.shape, geometry.in_chans)
    n_bytes = int(np.prod(shape, dtype=np.int64))
    in_memory = n_bytes <= min(memory_gib * GIB, FREE_SHARE * psutil.virtual_memory().available)
    path = cache_folder("pixels") / f"{_key(table, geometry)}.npy"
    stored = None
    try:
        with exclusive(path.with_name(f"{path.name}.lock")):
            stored = _load(path, shape, on_the_fly, in_memory=in_memory)
            if stored is None and n_bytes <= FREE_SHARE * shutil.disk_usage(path.parent).free:
                _store(path, on_the_fly, shape)
                stored = _load(path, shape, on_the_fly, in_memory=in_memory)
    except OSError as error:
        log.warning("decoded images cannot be stored in %s: %s", path.parent, error)
    if stored is not None:
        return stored
    if in_memory:
        decoded = np.empty(shape, dtype=np.uint8)
        _decode_all(on_the_fly, decoded)
        return StoredPixels(decoded)
    log.warning(
        "%d images of %s px take %.1f GiB, more than half of the free memory and disk: "
        "they are decoded again in every epoch (trainer.workers=N uses N processes for it)",
        len(table),
        size_label(*geometry.shape),
        n_bytes / GIB,
    )
    return on_the_fly


def _key(table: SampleTable, geometry: Geometry) -> str:
    text = f"{PIXELS_VERSION}\0{table.fingerprint}\0{geometry.key}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _store(path: Path, source: OnTheFlyPixels, shape: tuple[int, ...]) -> None:
    """Decode all images into a file that gets its name when it is complete."""
    evict(path.parent, room_bytes=int(np.prod(shape, dtype=np.int64)))
    with replacing(path) as temporary:
        array = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
        _reserve(temporary)
        _decode_all(source, array)
        array.flush()
        sums = sums_of(array)
    with replacing(path.with_suffix(_SUMS)) as temporary:
        temporary.write_bytes(sums.tobytes())


def _reserve(path: Path) -> None:
    """Allocate all blocks of a new file now.

    If the disk becomes full while a mapped file is written, the system kills the process.

    Raises:
        OSError: If there is not enough space.
    """
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as handle:
            os.posix_fallocate(handle.fileno(), 0, path.stat().st_size)


def _load(
    path: Path, shape: tuple[int, ...], source: OnTheFlyPixels, *, in_memory: bool
) -> StoredPixels | None:
    """Load the stored array, or return None if there is none or it is damaged.

    Checksums are compared if the whole file is read anyway; those of a mapped file when its images
    are.
    """
    try:
        array: Images = np.load(path, mmap_mode=None if in_memory else "r", allow_pickle=False)
        sums = np.frombuffer(path.with_suffix(_SUMS).read_bytes(), dtype=np.uint64)
    except FileNotFoundError:
        return None
    except _DAMAGE:
        log.warning("a damaged file of decoded images is replaced: %s", path.name)
        return None
    is_complete = array.shape == shape and array.dtype == np.uint8 and len(sums) == len(array)
    if not is_complete or (in_memory and (sums_of(array) != sums).any()):
        log.warning("a damaged file of decoded images is replaced: %s", path.name)
        return None
    os.utime(path)
    return StoredPixels(array) if in_memory else MappedPixels(array, sums, source)


def _decode_all(source: OnTheFlyPixels, out: Images) -> None:
    """Fill (N, S, S, C) in threads: Pillow and numpy release Python's global lock."""

    def decode(row: int) -> None:
        out[row] = source.decode(row)

    with (
        ThreadPoolExecutor(usable_cores()) as pool,
        show_progress("decoding images", len(out)) as advance,
    ):
        for _ in pool.map(decode, range(len(out))):
            advance(1)
