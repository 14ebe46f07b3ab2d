"""The store of prefix outputs: entries known by content, shared by all processes.

An entry is a folder of immutable segments. Whoever wants to add to it holds its lock, which the
kernel takes from a process that dies; reading needs none. Nothing is visible before it is whole.
"""

import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from frostline.features.entry_key import EntryKey
from frostline.features.stored_file import (
    SUFFIX,
    DamagedSegmentError,
    OutputForm,
    Pairs,
    Segment,
    SegmentWriter,
    open_segment,
    storing,
)
from frostline.files import TEMPORARY_SUFFIX, replacing
from frostline.locks import Owner, OwnerLock, exclusive, is_free

HOME_VARIABLE = "FROSTLINE_HOME"
LIMIT_VARIABLE = "FROSTLINE_FEATURES_GIB"
# What the store may take on disk before the least recently used entries go.
LIMIT_GIB = 20.0
GIB = 2**30
# A store never takes the last of a disk: checkpoints and records need room too.
FREE_SHARE = 0.5
_ABOUT = "entry.json"
_LOCK = "owner.lock"

log = logging.getLogger(__name__)


def store_folder() -> Path:
    """`$FROSTLINE_HOME/features`, or `.frostline/features` where you stand."""
    return Path(os.environ.get(HOME_VARIABLE) or ".frostline").expanduser().absolute() / "features"


def size_limit_bytes() -> int:
    """What the store may take: `$FROSTLINE_FEATURES_GIB`, or `LIMIT_GIB`."""
    return int(float(os.environ.get(LIMIT_VARIABLE) or LIMIT_GIB) * GIB)


@dataclass(frozen=True)
class EntryInfo:
    """What people are told of an entry.

    Attributes:
        digest: Its name in the store.
        about: What determines it.
        outputs: How many are stored.
        size_bytes: What they take on disk.
        used_s: Unix time of the last use.
    """

    digest: str
    about: dict[str, object]
    outputs: int
    size_bytes: int
    used_s: float


class Entry:
    """One prefix's outputs over one data set.

    Args:
        folder: The entry's own folder.
        key: What determines it.
        notes: What else is written down beside the key.
    """

    def __init__(self, folder: Path, key: EntryKey, notes: dict[str, object]) -> None:
        self.folder = folder
        self.key = key
        self._notes = notes

    def segments(self) -> list[Segment]:
        """All whole segments, checked; a damaged one is removed, so that it is made again."""
        found = []
        for path in sorted(self.folder.glob(f"*{SUFFIX}")):
            try:
                found.append(open_segment(path))
            except FileNotFoundError:
                continue  # evicted in between
            except DamagedSegmentError as damage:
                log.warning("stored outputs are damaged and will be made again: %s", damage)
                path.unlink(missing_ok=True)
        if found:
            os.utime(self.folder / _ABOUT)
        return found

    @contextmanager
    def owned(self, on_wait: Callable[[Owner | None], None] | None = None) -> Iterator[None]:
        """Be the only process that adds to this entry; waits for the one that does.

        Raises:
            StoreFailedError: If the store's folder cannot be written to.
        """
        lock = OwnerLock(self.folder / _LOCK)
        with storing():
            lock.acquire(wait_s=None, on_wait=on_wait)
        try:
            with storing():
                for orphan in self.folder.glob(f"*{TEMPORARY_SUFFIX}"):
                    orphan.unlink(missing_ok=True)  # of a process that was killed
                self._write_about()
            yield
        finally:
            lock.release(remove=False)

    def _write_about(self) -> None:
        about = self.folder / _ABOUT
        if about.exists():
            return
        with replacing(about) as temporary:
            temporary.write_text(json.dumps(asdict(self.key) | self._notes, indent=1))

    def writer(self, pairs: Pairs, form: OutputForm) -> SegmentWriter:
        """A writer for outputs that are missing; only while `owned`."""
        return SegmentWriter(self.folder, pairs, form)


class FeatureStore:
    """All entries of one folder, within a limit of size.

    Args:
        folder: Where entries lie; made when the first is added.
        limit_bytes: Least recently used entries are removed beyond it.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self.folder = folder
        self.limit_bytes = limit_bytes

    def entry(self, key: EntryKey, notes: dict[str, object] | None = None) -> Entry:
        """The entry of a key, whether it exists or not; `notes` are kept beside a new one's key."""
        return Entry(self.folder / key.digest, key, notes or {})

    def room_bytes(self) -> int:
        """The largest thing that may be added: the limit, or half of the free disk."""
        place = self.folder
        while not place.exists():
            place = place.parent
        return min(self.limit_bytes, int(FREE_SHARE * shutil.disk_usage(place).free))

    def make_room(self, wanted_bytes: int, keep: EntryKey) -> list[str]:
        """Remove the least recently used entries until `wanted_bytes` more fit into the limit.

        Entries that some process is adding to are left; processes that read a removed one keep
        what they have opened.

        Args:
            wanted_bytes: What will be added.
            keep: The entry that will grow.

        Returns:
            The removed entries' digests.
        """
        removed = []
        with exclusive(self.folder / ".evict.lock"):
            entries = self.list_entries()
            total = sum(entry.size_bytes for entry in entries)
            for entry in sorted(entries, key=lambda info: info.used_s):
                if total + wanted_bytes <= self.limit_bytes:
                    break
                if entry.digest != keep.digest and self._remove(entry.digest):
                    total -= entry.size_bytes
                    removed.append(entry.digest)
        return removed

    def list_entries(self) -> list[EntryInfo]:
        """Every entry, the most recently used first."""
        found = []
        for about in self.folder.glob(f"*/{_ABOUT}"):
            try:
                outputs = 0
                size = 0
                for path in about.parent.glob(f"*{SUFFIX}"):
                    size += path.stat().st_size
                    outputs += _count(path)
                content = json.loads(about.read_text())
                used_s = about.stat().st_mtime
            except (OSError, ValueError):
                continue  # being removed
            found.append(EntryInfo(about.parent.name, content, outputs, size, used_s))
        return sorted(found, key=lambda info: -info.used_s)

    def verify(self) -> dict[str, list[str]]:
        """Read everything and compare checksums.

        Returns:
            For each entry its damaged segments' complaints; they are removed, to be made again.
        """
        report: dict[str, list[str]] = {}
        for info in self.list_entries():
            report[info.digest] = []
            for path in sorted((self.folder / info.digest).glob(f"*{SUFFIX}")):
                try:
                    open_segment(path)
                except FileNotFoundError:
                    continue
                except DamagedSegmentError as damage:
                    report[info.digest].append(str(damage))
                    path.unlink(missing_ok=True)
        return report

    def clear(self) -> list[str]:
        """Remove every entry that no process is adding to; returns their digests."""
        return [info.digest for info in self.list_entries() if self._remove(info.digest)]

    def _remove(self, digest: str) -> bool:
        folder = self.folder / digest
        if not is_free(folder / _LOCK):
            return False
        lock = OwnerLock(folder / _LOCK)
        if not lock.try_acquire():
            return False
        try:
            for path in folder.iterdir():
                if path.name != _LOCK:
                    path.unlink(missing_ok=True)
        finally:
            # The folder stays: a process that waits for the lock would find its path gone.
            lock.release(remove=False)
        return True


def _count(path: Path) -> int:
    """How many outputs a segment holds, from its head."""
    try:
        return len(open_segment(path, check=False).pairs)
    except DamagedSegmentError:
        return 0


def age(used_s: float) -> str:
    """How long ago something was used, for people."""
    seconds = max(0.0, time.time() - used_s)
    for unit, length_s in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length_s:
            return f"{seconds / length_s:.0f} {unit}"
    return f"{seconds:.0f} s"
