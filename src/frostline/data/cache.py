"""The folder of the cache, and its limit."""

import errno
import os
from pathlib import Path

from frostline.errors import DataError

CACHE_VARIABLE = "FROSTLINE_CACHE"
# What one kind of cached thing may take on disk before the least recently used goes.
LIMIT_BYTES = 50 * 2**30


def cache_folder(kind: str) -> Path:
    """The folder for one kind of cached thing, made if it is missing.

    Args:
        kind: Such as "scans" or "pixels".

    Returns:
        `$FROSTLINE_CACHE/kind`, or `frostline/kind` in the user's cache folder.

    Raises:
        DataError: If nothing can be written there.
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


def evict(folder: Path, *, room_bytes: int, limit_bytes: int = LIMIT_BYTES) -> None:
    """Delete the least recently used files until `room_bytes` more fit into the limit.

    Files in use stay readable for those who have opened them.
    """
    files = [(path.stat(), path) for path in folder.glob("*.npy")]
    total = sum(stat.st_size for stat, _ in files)
    for stat, path in sorted(files, key=lambda pair: pair[0].st_mtime_ns):
        if total + room_bytes <= limit_bytes:
            return
        path.unlink(missing_ok=True)
        path.with_suffix(".crc").unlink(missing_ok=True)
        total -= stat.st_size
