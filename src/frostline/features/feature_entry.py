"""One entry of the store: the outputs of one prefix over one data set, in immutable segments."""

import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from frostline.features.entry_key import EntryKey
from frostline.features.output_form import OutputForm
from frostline.features.segment_writer import SegmentWriter
from frostline.features.stored_file import (
    SUFFIX,
    DamagedSegmentError,
    Pairs,
    Segment,
    open_segment,
    store_errors,
)
from frostline.files import TEMPORARY_SUFFIX, replacing
from frostline.locks import Owner, OwnerLock

ABOUT_FILE = "entry.json"
LOCK_FILE = "owner.lock"

log = logging.getLogger(__name__)


class Entry:
    """One prefix's outputs over one data set.

    Args:
        folder: The entry's own folder.
        key: What determines it.
        notes: What else is stored beside the key.
    """

    def __init__(self, folder: Path, key: EntryKey, notes: dict[str, object]) -> None:
        self.folder = folder
        self.key = key
        self._notes = notes

    def segments(self) -> list[Segment]:
        """Return all segments, checked; a damaged one is removed, to be computed again."""
        segments = []
        for path in sorted(self.folder.glob(f"*{SUFFIX}")):
            try:
                segments.append(open_segment(path))
            except FileNotFoundError:
                continue  # evicted in between
            except DamagedSegmentError as damage:
                log.warning("stored outputs are damaged and will be computed again: %s", damage)
                path.unlink(missing_ok=True)
        if segments:
            os.utime(self.folder / ABOUT_FILE)
        return segments

    @contextmanager
    def owned(self, on_wait: Callable[[Owner | None], None] | None = None) -> Iterator[None]:
        """Be the only process that adds to this entry; waits while another one is.

        Raises:
            StoreFailedError: If the store's folder cannot be written to.
        """
        lock = OwnerLock(self.folder / LOCK_FILE)
        with store_errors():
            lock.acquire(wait_s=None, on_wait=on_wait)
        try:
            with store_errors():
                for orphan in self.folder.glob(f"*{TEMPORARY_SUFFIX}"):
                    orphan.unlink(missing_ok=True)  # of a process that was killed
                self._write_about()
            yield
        finally:
            lock.release(remove=False)

    def _write_about(self) -> None:
        about = self.folder / ABOUT_FILE
        if about.exists():
            return
        with replacing(about) as temporary:
            temporary.write_text(json.dumps(asdict(self.key) | self._notes, indent=1))

    def writer(self, pairs: Pairs, form: OutputForm) -> SegmentWriter:
        """Return a writer for missing outputs; only while the entry is `owned`."""
        return SegmentWriter(self.folder, pairs, form)
