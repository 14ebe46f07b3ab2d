"""The folder of the cache, and its limit."""

import errno
import os
from pathlib import Path

from frostline.errors import DataError

CACHE_VARIABLE = "FROSTLINE_CACHE"
# Limit of each kind of cached data on disk; beyond it the least recently used is deleted.
MAX_BYTES = 50 * 2**30


def cache_folder(kind: str) -> Path:
    """Return the folder for one kind of cached data, created if it is missing.

    Args:
        kind: Such as "scans" or "pixels".

    Returns:
        `$FROSTLINE_CACHE/kind`, or `frostline/kind` in the user's cache folder.

    Raises:
        DataError: If it cannot be written.
    """
    given = os.environ.get(CACHE_VARIABLE)
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    root = Path(given) if given else Path(base) / "frostline"
    folder = Path(os.path.expanduser(root)) / kind  # noqa: PTH111 (pathlib's fails without a home)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise DataError(
            f"the cache {folder} cannot be written: {error.strerror or error}",
            todo=f"give a folder that can be written to: export {CACHE_VARIABLE}=DIR",
        ) from None
    return folder


def evict(folder: Path, *, room_bytes: int, limit_bytes: int = MAX_BYTES) -> None:
    """Delete the least recently used files until `room_bytes` more fit into the limit.

    Processes that have opened a deleted file can still read it.
    """
    files = [(path.stat(), path) for path in folder.glob("*.npy")]
    total = sum(stat.st_size for stat, _ in files)
    for stat, path in sorted(files, key=lambda pair: pair[0].st_mtime_ns):
        if total + room_bytes <= limit_bytes:
            return
        path.unlink(missing_ok=True)
        path.with_suffix(".crc").unlink(missing_ok=True)
        total -= stat.st_size
