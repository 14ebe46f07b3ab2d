"""Images decoded once and stored as uint8 squares: in memory, or mapped from a file.

Jobs of a sweep share the file: the first decodes while the others wait for its lock.
"""

import logging
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import psutil

from frostline.config.image_size import size_label
from frostline.data.geometry import Geometry
from frostline.data.pixel_access import (
    Images,
    MappedPixels,
    OnTheFlyPixels,
    Pixels,
    StoredPixels,
    sums_of,
)
from frostline.data.pixel_files import (
    SUMS,
    decode_all,
    lock_of,
    others_to_store,
    path_of,
    store_pixels,
)
from frostline.data.sample_table import SampleTable
from frostline.locks import exclusive

GIB = 2**30
# Decoded images use at most this share of the free space, in memory and on disk.
FREE_SHARE = 0.5
# What numpy raises for a file whose header or length is wrong.
_DAMAGE = (ValueError, OSError, EOFError, SyntaxError, TypeError, OverflowError, MemoryError)
log = logging.getLogger(__name__)


def open_pixels(
    table: SampleTable, geometry: Geometry, *, memory_gib: float, also: Sequence[Geometry] = ()
) -> Pixels:
    """Open the images of a table in one geometry, from the cache if they were decoded before.

    Args:
        table: The images.
        geometry: The square they become.
        memory_gib: Images are held in memory up to this size, and up to half of the free memory.
            Larger sets are mapped from the cache's file, or decoded on the fly if the disk has no
            room for it.
        also: Other squares that will be needed. If images are decoded now, those of these squares
            that are not stored yet are stored as well, so that each file is decoded once.

    Raises:
        DataChangedError: If a file holds other bytes than when the table was made.
    """
    on_the_fly = OnTheFlyPixels(table.open_image, table.items, geometry)
    shape = (len(table), *geometry.shape, geometry.in_chans)
    n_bytes = int(np.prod(shape, dtype=np.int64))
    in_memory = n_bytes <= min(memory_gib * GIB, FREE_SHARE * psutil.virtual_memory().available)
    path = path_of(table, geometry)
    stored = None
    try:
        with exclusive(lock_of(path)):
            stored = _load(path, shape, on_the_fly, in_memory=in_memory)
            room_bytes = FREE_SHARE * shutil.disk_usage(path.parent).free - n_bytes
            if stored is None and room_bytes >= 0:
                rest = [each for each in also if each != geometry]
                with others_to_store(table, rest, room_bytes=room_bytes) as others:
                    store_pixels(table, [geometry, *others])
                stored = _load(path, shape, on_the_fly, in_memory=in_memory)
    except OSError as error:
        log.warning("decoded images cannot be stored in %s: %s", path.parent, error)
    if stored is not None:
        return stored
    if in_memory:
        decoded = np.empty(shape, dtype=np.uint8)
        decode_all(table, [geometry], [decoded])
        return StoredPixels(decoded)
    log.warning(
        "%d images of %s px take %.1f GiB, more than half of the free memory and disk: "
        "they are decoded again in every epoch (trainer.workers=N uses N processes for it)",
        len(table),
        size_label(*geometry.shape),
        n_bytes / GIB,
    )
    return on_the_fly


def _load(
    path: Path, shape: tuple[int, ...], source: OnTheFlyPixels, *, in_memory: bool
) -> StoredPixels | None:
    """Load the stored array, or return None if there is none or it is damaged.

    Checksums are compared if the whole file is read anyway; those of a mapped file when its images
    are.
    """
    try:
        array: Images = np.load(path, mmap_mode=None if in_memory else "r", allow_pickle=False)
        sums = np.frombuffer(path.with_suffix(SUMS).read_bytes(), dtype=np.uint64)
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
