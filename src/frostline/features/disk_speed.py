"""How fast this machine writes, reads and gathers, measured once in a fraction of a second."""

import contextlib
import json
import os
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from frostline.features.cost_model import Speeds
from frostline.features.stored_file import store_errors
from frostline.files import replacing

_TEST_BYTES = 16 * 2**20
_ROW_BYTES = 64 * 2**10
_FILE = "speeds.json"


def disk_speeds(folder: Path) -> Speeds:
    """Return the speeds of a folder's disk and of memory, measured once and stored in the folder.

    Args:
        folder: The store's folder; created if it is missing.

    Raises:
        StoreFailedError: If the folder cannot be written to.
    """
    file = folder / _FILE
    with contextlib.suppress(OSError, ValueError, TypeError):
        return Speeds(**json.loads(file.read_text()))
    with store_errors():
        folder.mkdir(parents=True, exist_ok=True)
        speeds = _measure(folder / f".speed.{os.getpid()}.tmp")
        with replacing(file) as temporary:
            temporary.write_text(json.dumps(asdict(speeds)))
    return speeds


def _measure(path: Path) -> Speeds:
    content = np.arange(_TEST_BYTES, dtype=np.uint8).reshape(-1, _ROW_BYTES)
    try:
        begun = time.perf_counter()
        with path.open("wb") as file:
            file.write(content.data)
            file.flush()
            os.fsync(file.fileno())
        written_s = time.perf_counter() - begun
        with path.open("rb") as file:
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            begun = time.perf_counter()
            file.read()
            read_s = time.perf_counter() - begun
    finally:
        path.unlink(missing_ok=True)
    order = np.random.default_rng(0).permutation(len(content))
    begun = time.perf_counter()
    content[order].sum()
    gathered_s = time.perf_counter() - begun
    times_s = (written_s, read_s, gathered_s)
    return Speeds(*(_TEST_BYTES / max(seconds, 1e-6) for seconds in times_s))
