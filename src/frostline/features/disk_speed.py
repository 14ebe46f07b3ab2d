"""How fast this machine writes, reads and gathers: the best of a few short measurements.

A moment in which the machine is busy must not decide for long that storing does not pay. So each of
the first few callers measures once more, and what is older than a week is measured anew.
"""

import contextlib
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from frostline.features.cost_model import Speeds
from frostline.features.stored_file import StoreFailedError, store_errors
from frostline.files import replacing

MEASUREMENTS = 3
MAX_AGE_S = 7 * 24 * 3600
_TEST_BYTES = 16 * 2**20
_ROW_BYTES = 64 * 2**10
_FILE = "speeds.json"


@dataclass(frozen=True)
class _Measured:
    """A measurement and when it was made, in seconds since 1970."""

    at_s: float
    speeds: Speeds


def disk_speeds(folder: Path) -> Speeds:
    """Return the speeds of a folder's disk and of memory, each the best that was measured lately.

    Takes some hundredths of a second for each of the first `MEASUREMENTS` callers, then none.

    Args:
        folder: The store's folder; created if it is missing.

    Raises:
        StoreFailedError: If the folder cannot be written to, and no speed of it is known.
    """
    file = folder / _FILE
    measured = _lately(file, now_s := time.time())
    if len(measured) < MEASUREMENTS:
        try:
            with store_errors():
                folder.mkdir(parents=True, exist_ok=True)
                speeds = _measure(folder / f".speed.{os.getpid()}.tmp")
                measured.append(_Measured(now_s, speeds))
                with replacing(file) as temporary:
                    temporary.write_text(json.dumps([asdict(each) for each in measured]))
        except StoreFailedError:  # a disk that is full by now; what is to be stored may still fit
            if not measured:
                raise
    return Speeds(
        write=max(each.speeds.write for each in measured),
        read_disk=max(each.speeds.read_disk for each in measured),
        read_memory=max(each.speeds.read_memory for each in measured),
    )


def _lately(file: Path, now_s: float) -> list[_Measured]:
    """What a file holds that is not too old, nor from a future that a clock showed by mistake."""
    found: list[_Measured] = []
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        content: list[dict[str, Any]] = json.loads(file.read_text())
        found = [_Measured(float(each["at_s"]), Speeds(**each["speeds"])) for each in content]
    return [each for each in found if 0 <= now_s - each.at_s <= MAX_AGE_S]


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
