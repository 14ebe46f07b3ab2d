"""The store of prefix outputs: entries found by a digest of their key, shared by all processes.

An entry is a folder of immutable segments. A process that adds to it holds its lock, which the
kernel releases if the process dies; reading needs no lock. A file is visible only when it is whole.
"""

import os
import shutil
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from frostline.features.feature_entry import (
    ABOUT_FILE,
    LOCK_FILE,
    SWEEP_FIELD,
    Entry,
    EntryKey,
    epoch_of,
    read_about,
)
from frostline.features.stored_file import SUFFIX, DamagedSegmentError, open_segment
from frostline.locks import OwnerLock, exclusive, is_free

HOME_VARIABLE = "FROSTLINE_HOME"
LIMIT_VARIABLE = "FROSTLINE_FEATURES_GIB"
# Size on disk beyond which the least recently used entries are removed.
MAX_STORE_GIB = 20.0
GIB = 2**30
# Begins the names of folders that are being removed.
_REMOVED = ".removed."
# The store leaves the rest of the free disk to checkpoints and records.
MAX_SHARE_OF_FREE_DISK = 0.5


def store_folder() -> Path:
    """Return `$FROSTLINE_HOME/features`, or `.frostline/features` in the current folder."""
    return Path(os.environ.get(HOME_VARIABLE) or ".frostline").expanduser().absolute() / "features"


def size_limit_bytes() -> int:
    """Return the largest size of the store: `$FROSTLINE_FEATURES_GIB`, or `MAX_STORE_GIB`."""
    return int(float(os.environ.get(LIMIT_VARIABLE) or MAX_STORE_GIB) * GIB)


@dataclass(frozen=True)
class EntryInfo:
    """A summary of an entry.

    Attributes:
        digest: Its name in the store.
        about: Its key, and what else is stored beside it.
        outputs: How many are stored.
        size_bytes: Their size on disk.
        used_s: Unix time of the last use.
    """

    digest: str
    about: dict[str, object]
    outputs: int
    size_bytes: int
    used_s: float

    @property
    def epoch(self) -> int | None:
        """The epoch whose augmented images these are outputs of; None of images as they are."""
        return epoch_of(self.about)

    @property
    def sweep(self) -> str | None:
        """The sweep of an epoch's outputs; None for outputs that any run may ask for."""
        return str(self.about.get(SWEEP_FIELD)) if self.epoch is not None else None

    def is_over(self, sweep: str | None) -> bool:
        """Whether it holds an epoch of another sweep than this one."""
        return self.sweep is not None and self.sweep != sweep


class FeatureStore:
    """All entries of one folder, within a limit of size.

    Args:
        folder: Where the entries are; created with the first of them.
        limit_bytes: Least recently used entries are removed beyond it.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self.folder = folder
        self.limit_bytes = limit_bytes

    def entry(self, key: EntryKey, notes: dict[str, object] | None = None) -> Entry:
        """Return the entry of a key, which need not exist; `notes` are stored with a new one."""
        return Entry(self.folder / key.digest, key, notes or {})

    def max_new_bytes(self, beside: int = 0) -> int:
        """Return how much may be added at once: the limit, or half of the free disk.

        Args:
            beside: Bytes that are in the store and must stay.
        """
        folder = self.folder
        while not folder.exists():
            folder = folder.parent
        free = int(MAX_SHARE_OF_FREE_DISK * shutil.disk_usage(folder).free)
        return min(max(0, self.limit_bytes - beside), free)

    def make_room(self, wanted_bytes: int, keep: EntryKey) -> list[str]:
        """Remove the least recently used entries until `wanted_bytes` more fit into the limit.

        Outputs of the augmented images of single epochs go first, unless they are of the same
        sweep: nobody asks for them after it. Entries that some process is adding to stay; processes
        that read a removed one can still read the files that they have opened.

        Args:
            wanted_bytes: Size of what will be added.
            keep: The entry that it will be added to.

        Returns:
            The removed entries' digests.
        """
        removed = []
        with exclusive(self.folder / ".evict.lock"):
            self._remove_remains()
            entries = self.list_entries()
            total = sum(entry.size_bytes for entry in entries)
            own = next((one.sweep for one in entries if one.digest == keep.digest), None)
            for entry in sorted(entries, key=lambda info: (not info.is_over(own), info.used_s)):
                if total + wanted_bytes <= self.limit_bytes:
                    break
                if entry.digest != keep.digest and self._remove(entry.digest):
                    total -= entry.size_bytes
                    removed.append(entry.digest)
        return removed

    def abouts(self) -> list[dict[str, object]]:
        """Return the key and notes of every entry, without looking at its outputs."""
        found = (read_about(folder) for folder in self._folders())
        return [about for about in found if about is not None]

    def list_entries(self) -> list[EntryInfo]:
        """Return every entry, the most recently used first."""
        entries = []
        for folder in self._folders():
            about = read_about(folder)
            if about is None:
                continue
            try:
                outputs = 0
                size = 0
                for path in folder.glob(f"*{SUFFIX}"):
                    size += path.stat().st_size
                    outputs += _count(path)
                used_s = (folder / ABOUT_FILE).stat().st_mtime
            except OSError:
                continue  # being removed
            entries.append(EntryInfo(folder.name, about, outputs, size, used_s))
        return sorted(entries, key=lambda info: -info.used_s)

    def remains(self) -> dict[str, int]:
        """Return what is left of entries whose removal was cut short: folder name to bytes."""
        return {
            folder.name: sum(path.stat().st_size for path in folder.glob("*") if path.is_file())
            for folder in self._folders(remains=True)
            if folder.name.startswith(_REMOVED) or any(folder.glob(f"*{SUFFIX}"))
        }

    def _folders(self, *, remains: bool = False) -> list[Path]:
        """Return the folders of entries, or those that hold no whole entry."""
        if not self.folder.is_dir():
            return []
        folders = [path for path in sorted(self.folder.iterdir()) if path.is_dir()]
        if remains:
            return [
                path
                for path in folders
                if path.name.startswith(_REMOVED)
                or (not path.name.startswith(".") and read_about(path) is None)
            ]
        return [path for path in folders if not path.name.startswith(".")]

    def _remove_remains(self) -> list[str]:
        """Remove what is left of removed entries; returns the folders' names."""
        removed = []
        for name in self.remains():
            if name.startswith(_REMOVED):
                shutil.rmtree(self.folder / name, ignore_errors=True)
                removed.append(name)
            elif self._remove(name):
                removed.append(name)
        return removed

    def verify(self) -> dict[str, list[str]]:
        """Read everything and compare checksums; damaged segments are removed.

        Returns:
            For each entry, by digest, what is damaged.
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

    def end_sweep(self, sweep: str, keep_bytes: int) -> list[str]:
        """Remove the outputs of a sweep's epochs, the least recently used first.

        Args:
            sweep: The sweep, which has ended.
            keep_bytes: So much of them may stay, for the same command with one rate more.

        Returns:
            The removed entries' digests.
        """
        entries = [entry for entry in self.list_entries() if entry.sweep == sweep]
        kept, removed = 0, []
        for entry in entries:  # the most recently used first
            kept += entry.size_bytes
            if kept > keep_bytes and self._remove(entry.digest):
                removed.append(entry.digest)
        return removed

    def clear(self) -> list[str]:
        """Remove every entry that no process is adding to, and return their digests.

        What is left of entries whose removal was cut short goes, too.
        """
        remains = self._remove_remains()
        return remains + [info.digest for info in self.list_entries() if self._remove(info.digest)]

    def _remove(self, digest: str) -> bool:
        folder = self.folder / digest
        if not is_free(folder / LOCK_FILE):
            return False
        lock = OwnerLock(folder / LOCK_FILE)
        if not lock.try_acquire():
            return False
        removed = self.folder / f"{_REMOVED}{digest[:12]}.{uuid.uuid4().hex[:12]}"
        try:
            # First its name, so that nobody ever finds half an entry. A process that waits for the
            # lock notices that its file has moved, and makes a new folder.
            folder.rename(removed)
        finally:
            lock.release(remove=False)
        shutil.rmtree(removed, ignore_errors=True)
        return True


def _count(path: Path) -> int:
    """Return how many outputs a segment has, without checking them."""
    try:
        return len(open_segment(path, check=False).pairs)
    except DamagedSegmentError:
        return 0


def age(used_s: float) -> str:
    """Return how long ago something was used, as text: `3 h`."""
    seconds = max(0.0, time.time() - used_s)
    for unit, length_s in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length_s:
            return f"{seconds / length_s:.0f} {unit}"
    return f"{seconds:.0f} s"
