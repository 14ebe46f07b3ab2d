"""A run's local journal: what the store has not confirmed yet, one JSON object per line.

Every entry carries its own time, so sending it again writes the same row, which MLflow keeps once.
A line that a crash or a full disk has cut off is ignored; the lines before it are read.
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


def journal_path(folder: Path, run_id: str) -> Path:
    """The journal's file of a run."""
    return folder / f"{run_id}.jsonl"


class Journal:
    """The entries of one run that still have to be delivered.

    Args:
        folder: Folder of all journals; made with the first entry.
        run_id: The run's id, or the `offline-...` id of a run that the store does not have yet.
    """

    def __init__(self, folder: Path, run_id: str) -> None:
        self.run_id = run_id
        self.path = journal_path(folder, run_id)
        self.files_dir = folder / run_id
        self.entries: list[Entry] = read_entries(self.path)
        self._ends_in_mid_line = _ends_in_mid_line(self.path)

    def append(self, entry: Entry) -> None:
        """Add an entry: on disk if there is room, otherwise in memory only."""
        self.entries.append(entry)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(("\n" if self._ends_in_mid_line else "") + json.dumps(entry) + "\n")
            self._ends_in_mid_line = False
        except OSError:
            self._ends_in_mid_line = True

    def copy_file(self, path: Path) -> Path:
        """Copy a file or folder beside the journal: the original may be gone when it is sent.

        Returns:
            The copy.

        Raises:
            OSError: If it cannot be copied.
        """
        folder = self.files_dir / str(time.time_ns())
        folder.mkdir(parents=True, exist_ok=True)
        copy = folder / path.name
        if path.is_dir():
            shutil.copytree(path, copy, dirs_exist_ok=True)
        else:
            shutil.copy2(path, copy)
        return copy

    def drop_first(self, count: int) -> None:
        """Remove the first entries, which are delivered; the file goes with the last of them.

        The file is replaced as a whole, so a crash leaves the old journal or the new one. The old
        one is harmless: delivering it again changes nothing.
        """
        self.entries = self.entries[count:]
        if not self.entries:
            self.path.unlink(missing_ok=True)
            shutil.rmtree(self.files_dir, ignore_errors=True)
            self._ends_in_mid_line = False
            return
        with contextlib.suppress(OSError):
            with (
                replacing(self.path) as temporary,
                temporary.open("w", encoding="utf-8") as file,
            ):
                file.writelines(json.dumps(entry) + "\n" for entry in self.entries)
            self._ends_in_mid_line = False


def read_entries(path: Path) -> list[Entry]:
    """Read the entries of a journal file, without incomplete lines; none if there is no file."""
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


def _ends_in_mid_line(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"
    except OSError:  # no file, or an empty one
        return False
