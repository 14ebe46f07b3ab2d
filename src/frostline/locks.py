"""Locks that end with the process that holds them, and that say who that process is.

A process killed with SIGKILL cannot clean up; the kernel releases its `flock` for it. So a lock
file that can be locked belongs to nobody, and its content says who held it last.

Why not `filelock`: its public interface can neither write the owner into the locked file (some of
its versions empty the file whenever somebody else tries the lock), nor ask whether a lock is free
without taking it, nor remove the file while it is still locked.
"""

import contextlib
import fcntl
import json
import os
import socket
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_POLL_S = 0.1
# `is_free` holds a shared lock for a moment; that is not ownership, so an attempt is repeated.
_ATTEMPTS = 4
_BETWEEN_ATTEMPTS_S = 0.005
_held: "weakref.WeakSet[OwnerLock]" = weakref.WeakSet()
_fork_hook: list[bool] = []


@dataclass(frozen=True)
class Owner:
    """The process that holds a lock, or held it last.

    Attributes:
        pid: Process id on that host.
        host: Host name.
        since_s: Unix time at which the lock was taken.
        run_id: The MLflow run concerned; empty if there is none yet.
    """

    pid: int
    host: str
    since_s: float
    run_id: str = ""

    def __str__(self) -> str:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since_s))
        return f"process {self.pid} on {self.host} since {when}"


class OwnerLock:
    """A lock file that one process at a time owns, on one machine or one shared file system.

    Args:
        path: The lock file; its folder is made when the lock is taken.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._descriptor is not None

    def try_acquire(self, run_id: str = "") -> bool:
        """Take the lock if it is free.

        Args:
            run_id: The MLflow run concerned, written into the file.

        Returns:
            Whether this object holds the lock now.

        Raises:
            OSError: If the lock file cannot be made.
        """
        if self.held:
            return True
        attempts_left = _ATTEMPTS
        while True:
            # Each time: the last owner may have moved the folder away with the file.
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                os.close(descriptor)
                if not isinstance(error, BlockingIOError):
                    raise
                attempts_left -= 1
                if attempts_left == 0:
                    return False
                time.sleep(_BETWEEN_ATTEMPTS_S)
                continue
            if _is_file_at(descriptor, self.path):
                break
            os.close(descriptor)  # its last owner removed the file just before it was locked here
        self._descriptor = descriptor
        _close_in_children(self)
        self.note(run_id)
        return True

    def acquire(
        self, *, wait_s: float | None, on_wait: Callable[[Owner | None], None] | None = None
    ) -> bool:
        """Take the lock, waiting until its owner releases it or dies.

        Args:
            wait_s: How long to wait; None waits without a limit.
            on_wait: Called once, with the owner, if there is something to wait for.

        Returns:
            Whether this object holds the lock now.

        Raises:
            OSError: If the lock file cannot be made.
        """
        end_s = None if wait_s is None else time.monotonic() + wait_s
        while not self.try_acquire():
            if on_wait is not None:
                on_wait(read_owner(self.path))
                on_wait = None
            if end_s is not None and time.monotonic() >= end_s:
                return False
            time.sleep(_POLL_S)
        return True

    def note(self, run_id: str = "") -> None:
        """Write into the file who owns the lock, and for which run."""
        if self._descriptor is None:
            return
        owner = Owner(os.getpid(), socket.gethostname(), time.time(), run_id)
        text = json.dumps(asdict(owner)).encode()
        # On a full disk the lock is still held; only the text for people is missing.
        with contextlib.suppress(OSError):
            os.pwrite(self._descriptor, text, 0)
            os.ftruncate(self._descriptor, len(text))

    def release(self, *, remove: bool = True) -> None:
        """Release the lock, if this object holds it.

        Args:
            remove: Also remove the file.
        """
        if self._descriptor is None:
            return
        if remove:
            # Removed while still locked, so that nobody can lock a name that is about to vanish.
            self.path.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = None

    def _close_inherited(self) -> None:
        """Close the descriptor in a forked child; the parent's lock and file stay as they are."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> "OwnerLock":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.release()


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Run a block that no other process runs at the same time, waiting as long as that takes.

    Args:
        path: The lock file, which stays.

    Raises:
        OSError: If the lock file cannot be made.
    """
    lock = OwnerLock(path)
    lock.acquire(wait_s=None)
    try:
        yield
    finally:
        lock.release(remove=False)


def read_owner(path: Path) -> Owner | None:
    """Read who wrote a lock file; None if there is no such file or it cannot be read."""
    try:
        values: dict[str, Any] = json.loads(path.read_text())
        return Owner(int(values["pid"]), values["host"], float(values["since_s"]), values["run_id"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_free(path: Path) -> bool:
    """Whether nobody holds a lock file now (also if there is no such file)."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def _is_file_at(descriptor: int, path: Path) -> bool:
    """Whether an open file is the one that a path names now."""
    try:
        named = path.stat()
    except FileNotFoundError:
        return False
    opened = os.fstat(descriptor)
    return (opened.st_dev, opened.st_ino) == (named.st_dev, named.st_ino)


def _close_in_children(lock: OwnerLock) -> None:
    """Close a lock in forked children: data workers would hold it beyond their parent's death."""
    _held.add(lock)
    if not _fork_hook:
        _fork_hook.append(True)
        os.register_at_fork(after_in_child=_close_all_inherited)


def _close_all_inherited() -> None:
    for lock in list(_held):
        lock._close_inherited()
