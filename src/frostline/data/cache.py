"""The folder of the cache, and its limit."""

import contextlib
import errno
import logging
import os
from pathlib import Path

from frostline.errors import DataError
from frostline.files import SEAL, replacing, sealed, unsealed

CACHE_VARIABLE = "FROSTLINE_CACHE"
# Limit of each kind of cached data on disk; beyond it the least recently used is deleted.
MAX_BYTES = 50 * 2**30
FULL = (errno.ENOSPC, errno.EDQUOT)

log = logging.getLogger(__name__)


def cache_folder(kind: str) -> Path:
    """Return the folder for one kind of cached data, created if it is missing.

    Args:
        kind: Such as "scans" or "pixels".

    Returns:
        `$FROSTLINE_CACHE/kind`, or `frostline/kind` in the user's cache folder. On a full disk it
        may be missing: what is written there then raises OSError, and is kept in memory.

    Raises:
        DataError: If it cannot be written, for another reason than a full disk.
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
        if error.errno in FULL:
            return folder
        raise DataError(
            f"the cache {folder} cannot be written: {error.strerror or error}",
            todo=f"give a folder that can be written to: export {CACHE_VARIABLE}=DIR",
        ) from None
    return folder


def keep_text(path: Path, text: str, *, what: str) -> bool:
    """Write what is only kept to save time; a disk that is full costs that time and no more.

    Args:
        path: The file.
        text: Its content.
        what: What it is, for the warning, such as "the results of the scan".

    Returns:
        Whether it was written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        reason = error.strerror or error
        log.warning("%s cannot be kept for the next start in %s: %s", what, path.parent, reason)
        return False
    return True


def keep_sealed(path: Path, text: str, *, what: str) -> bool:
    """As `keep_text`, with a checksum, for what later commands rely on: see `kept_text`."""
    return keep_text(path, sealed(text), what=what)


def kept_text(path: Path) -> str | None:
    """Read what `keep_sealed` has written; None if there is nothing, or it is damaged.

    What versions without checksums have left counts as nothing.
    """
    try:
        text = path.read_text(encoding="utf-8")
        return unsealed(text) if text.startswith(SEAL) else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        log.warning("a damaged file of the cache is made again (%s): %s", path, error)
        return None


def evict(folder: Path, *, room_bytes: int, limit_bytes: int = MAX_BYTES) -> None:
    """Delete the least recently used files until `room_bytes` more fit into the limit.

    Processes that have opened a deleted file can still read it.
    """
    files = []
    for path in folder.glob("*.npy"):
        with contextlib.suppress(FileNotFoundError):  # another process evicts, too
            files.append((path.stat(), path))
    total = sum(stat.st_size for stat, _ in files)
    for stat, path in sorted(files, key=lambda pair: pair[0].st_mtime_ns):
        if total + room_bytes <= limit_bytes:
            return
        path.unlink(missing_ok=True)
        for checksums in (".crc", ".sums"):  # the first of older versions
            path.with_suffix(checksums).unlink(missing_ok=True)
        total -= stat.st_size
