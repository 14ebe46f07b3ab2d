"""Ownership that dies with its owner: locks that the system holds, not the existence of a file.

A process killed with SIGKILL cannot clean up; the kernel releases its `flock` for it. So a lock
file that can be locked belongs to nobody, and what is written in it tells who died.
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

_POLL_S = 0.2
_held: "weakref.WeakSet[OwnerLock]" = weakref.WeakSet()
_fork_hook: list[bool] = []


@dataclass(frozen=True)
class Owner:
    """Who holds, or last held, a lock.

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

        Raises:
            OSError: If the lock file cannot be made.
        """
        if self.held:
            return True
        self.path.parent.mkdir(parents=True, exist_ok=True)
        glances = 3  # `is_free` holds a lock for a moment to look at it; that is not ownership
        while True:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                os.close(descriptor)
                if not isinstance(error, BlockingIOError):
                    raise
                if glances == 0:
                    return False
                glances -= 1
                time.sleep(0.005)
                continue
            if _same_file(descriptor, self.path):
                break
            os.close(descriptor)  # its last owner removed the file just before we locked it
        self._descriptor = descriptor
        _close_in_children(self)
        self.note(run_id)
        return True

    def acquire(
        self, *, wait_s: float | None, on_wait: Callable[[Owner | None], None] | None = None
    ) -> bool:
        """Take the lock, waiting for its owner to finish or die.

        Args:
            wait_s: How long to wait; None waits for ever.
            on_wait: Called once, with the owner, if there is something to wait for.
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
        """Write down who owns the lock, and for which run."""
        if self._descriptor is None:
            return
        owner = Owner(os.getpid(), socket.gethostname(), time.time(), run_id)
        text = json.dumps(asdict(owner)).encode()
        # A full disk must not cost the ownership itself: the note is for people.
        with contextlib.suppress(OSError):
            os.pwrite(self._descriptor, text, 0)
            os.ftruncate(self._descriptor, len(text))

    def release(self, *, remove: bool = True) -> None:
        """Give the lock back; with `remove`, take its file away too."""
        if self._descriptor is None:
            return
        if remove:
            # Unlinked while still locked, so nobody can hold a name that is about to vanish.
            self.path.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = None

    def _forget(self) -> None:
        """Close an inherited descriptor without removing what the parent still owns."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> "OwnerLock":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.release()


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Do something that no other process does at the same time; waits as long as it takes."""
    lock = OwnerLock(path)
    lock.acquire(wait_s=None)
    try:
        yield
    finally:
        lock.release(remove=False)


def read_owner(path: Path) -> Owner | None:
    """Say who wrote a lock file; None if there is none or it cannot be read."""
    try:
        said: dict[str, Any] = json.loads(path.read_text())
        return Owner(int(said["pid"]), said["host"], float(said["since_s"]), said["run_id"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_free(path: Path) -> bool:
    """Whether nobody holds a lock file now (there may be no such file)."""
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


def _same_file(descriptor: int, path: Path) -> bool:
    try:
        named = path.stat()
    except FileNotFoundError:
        return False
    mine = os.fstat(descriptor)
    return (mine.st_dev, mine.st_ino) == (named.st_dev, named.st_ino)


def _close_in_children(lock: OwnerLock) -> None:
    """Keep forked children (data workers) from holding a lock after their parent's death."""
    _held.add(lock)
    if not _fork_hook:
        _fork_hook.append(True)
        os.register_at_fork(after_in_child=_forget_all)


def _forget_all() -> None:
    for lock in list(_held):
        lock._forget()
