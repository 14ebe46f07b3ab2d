"""Temporary folders that do not stay for ever when the process that made them is killed.

A process killed with SIGKILL cannot remove its folder. So each folder holds a lock that ends with
the process, and whoever makes the next one removes the folders whose lock nobody holds any more.
"""

import contextlib
import os
import shutil
import stat
import tempfile
import weakref
from pathlib import Path

from frostline.locks import OwnerLock, is_free

_PREFIX = "frostline-"
_OWNER = ".owner"


class ScratchFolder:
    """A private temporary folder, removed with this object, at the block's end, or at exit.

    Args:
        name: What it is for, as part of its name.
        within: A folder on whose disk it has to be, where it is hidden; None for the usual place.

    Attributes:
        path: The folder.

    Raises:
        OSError: If it cannot be made.
    """

    def __init__(self, name: str, within: Path | None = None) -> None:
        place = Path(tempfile.gettempdir()) if within is None else within
        prefix = f"{_PREFIX}{name}-" if within is None else f".{name}-"
        remove_abandoned(place, _PREFIX if within is None else prefix)
        self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
        lock = OwnerLock(self.path / f"{_OWNER}.new")
        self._remove = weakref.finalize(self, _remove, self.path, lock, os.getpid())
        lock.try_acquire()
        # Others look for the file by this name, and so never find it before it is locked.
        lock.path.rename(self.path / _OWNER)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *exc_info: object) -> None:
        self._remove()


def remove_abandoned(place: Path, prefix: str) -> None:
    """Remove scratch folders of this user whose process has ended without doing it.

    Args:
        place: Where they are.
        prefix: With which their names begin.
    """
    for folder in place.glob(f"{prefix}*"):
        with contextlib.suppress(OSError):  # removed by somebody else meanwhile
            found, owner = folder.lstat(), folder / _OWNER
            if (
                stat.S_ISDIR(found.st_mode)
                and found.st_uid == os.getuid()
                and stat.S_ISREG(owner.lstat().st_mode)
                and is_free(owner)
            ):
                shutil.rmtree(folder, ignore_errors=True)


def _remove(folder: Path, lock: OwnerLock, pid: int) -> None:
    if os.getpid() != pid:  # a forked child, whose parent goes on with the folder
        return
    shutil.rmtree(folder, ignore_errors=True)
    lock.release(remove=False)
