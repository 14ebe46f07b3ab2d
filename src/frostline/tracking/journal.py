"""A run's local journal: what the store has not confirmed yet, one JSON object a line.

Every entry carries its own time, so that sending it again writes the same row again, which MLflow
keeps once. A line cut off by a crash or a full disk is dropped; what stands before it is kept.
"""

import contextlib
import json
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from frostline.files import replacing

Entry = dict[str, Any]


class Journal:
    """The entries of one run that still have to be delivered.

    Args:
        folder: Where journals lie; made when the first entry is kept.
        run_id: The run, or the name of a run that the store does not know yet.
    """

    def __init__(self, folder: Path, run_id: str) -> None:
        self.run_id = run_id
        self.path = folder / f"{run_id}.jsonl"
        self.files_dir = folder / run_id
        self.entries: list[Entry] = read_entries(self.path)
        self.unwritten = _is_torn(self.path)

    def append(self, entry: Entry) -> None:
        """Keep an entry, on disk if there is room for it, in memory at least."""
        self.entries.append(entry)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(("\n" if self.unwritten else "") + json.dumps(entry) + "\n")
            self.unwritten = False
        except OSError:
            self.unwritten = True

    def keep_file(self, path: Path) -> Path:
        """Copy a file or folder beside the journal: the original may be gone when it is sent.

        Raises:
            OSError: If it cannot be copied.
        """
        place = self.files_dir / str(time.time_ns())
        place.mkdir(parents=True, exist_ok=True)
        target = place / path.name
        if path.is_dir():
            shutil.copytree(path, target, dirs_exist_ok=True)
        else:
            shutil.copy2(path, target)
        return target

    def keep_from(self, position: int) -> None:
        """Forget the first entries: they are delivered.

        Written to a temporary name and renamed, so that a crash leaves the old journal or the new
        one. The old one is harmless: delivering it again changes nothing.
        """
        self.entries = self.entries[position:]
        if not self.entries:
            self.path.unlink(missing_ok=True)
            shutil.rmtree(self.files_dir, ignore_errors=True)
            self.unwritten = False
            return
        # An old journal that cannot be replaced stays as it is.
        with contextlib.suppress(OSError):
            with (
                replacing(self.path) as temporary,
                temporary.open("w", encoding="utf-8") as file,
            ):
                file.writelines(json.dumps(entry) + "\n" for entry in self.entries)
            self.unwritten = False


def read_entries(path: Path) -> list[Entry]:
    """Read the entries of a journal file; lines that are not whole are left out."""
    try:
        lines: Sequence[str] = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    entries = []
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and "op" in entry:
            entries.append(entry)
    return entries


def _is_torn(path: Path) -> bool:
    """Whether a file ends in the middle of a line."""
    try:
        with path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"
    except OSError:  # no file, or an empty one
        return False
