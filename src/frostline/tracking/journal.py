"""A run's local journal: what the store has not confirmed yet, one JSON object per line.

Every entry carries its own time, so sending it again writes the same row, which MLflow keeps once.
A line that a crash or a full disk has cut off is ignored; the lines before it are read. The first
line says which store the entries are for.

Beside `RUN.jsonl` stand `RUN/` with copies of files, `RUN.note` if a delivery failed, and
`RUN.refused` with `RUN.refused-files/`: entries that the store refused, kept for a person.
"""

import contextlib
import json
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from frostline.files import replacing
from frostline.tracking.store_identity import StoreIdentity

Entry = dict[str, Any]
_HEADER = "store"


@dataclass(frozen=True)
class Note:
    """Why a journal could not be delivered.

    Attributes:
        reason: In one line.
        aside: Whether trying again is useless, until a person says otherwise.
    """

    reason: str
    aside: bool


def journal_path(folder: Path, run_id: str) -> Path:
    """The journal's file of a run."""
    return folder / f"{run_id}.jsonl"


def refused_path(folder: Path, run_id: str) -> Path:
    """The file of the entries of a run that its store refused."""
    return folder / f"{run_id}.refused"


class Journal:
    """The entries of one run that still have to be delivered.

    Args:
        folder: Folder of the store's journals; made with the first entry.
        run_id: The run's id, or the `offline-...` id of a run that the store does not have yet.
        store: The store that a new journal is for; one that exists says so itself.
    """

    def __init__(self, folder: Path, run_id: str, store: StoreIdentity) -> None:
        self.run_id = run_id
        self.path = journal_path(folder, run_id)
        self.files_dir = folder / run_id
        self.entries: list[Entry] = read_entries(self.path)
        self.store = (read_store(self.path) if self.entries else None) or store
        self.note = read_note(self.path)
        self._ends_in_mid_line = _ends_in_mid_line(self.path)

    def append(self, entry: Entry) -> None:
        """Add an entry: on disk if there is room, otherwise in memory only."""
        self.entries.append(entry)
        # The next one writes all of them: what a full disk has kept in memory comes first.
        if len(self.entries) == 1 or self._ends_in_mid_line:
            self._rewrite()
            return
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")
        except OSError:
            self._ends_in_mid_line = True

    def copy_file(self, path: Path) -> Path:
        """Copy a file or folder beside the journal: the original may be gone when it is sent.

        Returns:
            The copy.

        Raises:
            OSError: If it cannot be copied.
        """
        return _copy_into(self.files_dir / str(time.time_ns()), path)

    def keep_refused(self, entry: Entry, reason: str) -> None:
        """Keep an entry that the store refused, with its file, until a person drops it.

        Raises:
            OSError: If it cannot be written.
        """
        path = refused_path(self.path.parent, self.run_id)
        if entry["op"] == "artifact" and Path(entry["file"]).exists():
            folder = path.with_name(f"{path.name}-files") / str(time.time_ns())
            entry = {**entry, "file": str(_copy_into(folder, Path(entry["file"])))}
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            if file.tell() == 0:
                file.write(json.dumps(self._header()) + "\n")
            file.write(json.dumps({**entry, "refused": reason}) + "\n")

    def set_note(self, note: Note | None) -> None:
        """Write down why it could not be delivered; None once it could."""
        self.note = note
        path = self.path.with_suffix(".note")
        with contextlib.suppress(OSError):  # on a full disk the text for people is missing
            if note is None:
                path.unlink(missing_ok=True)
            elif self.path.exists():
                path.write_text(json.dumps(asdict(note)))

    def drop_first(self, count: int) -> None:
        """Remove the first entries, which are delivered; the file goes with the last of them.

        The file is replaced as a whole, so a crash leaves the old journal or the new one. The old
        one is harmless: delivering it again changes nothing.
        """
        self.entries = self.entries[count:]
        if self.entries:
            self._rewrite()
        else:
            self.remove()

    def remove(self) -> None:
        """Remove the journal with the copies of its files, but not what was refused."""
        self.entries = []
        self.path.unlink(missing_ok=True)
        self.set_note(None)
        shutil.rmtree(self.files_dir, ignore_errors=True)
        self._ends_in_mid_line = False

    def drop_all(self) -> None:
        """Remove the journal with what the store refused: nothing of it is left."""
        self.remove()
        refused = refused_path(self.path.parent, self.run_id)
        refused.unlink(missing_ok=True)
        shutil.rmtree(refused.with_name(f"{refused.name}-files"), ignore_errors=True)

    def give_to(self, folder: Path, store: StoreIdentity) -> None:
        """Make this the journal of a store, with the entries that were refused behind the others.

        Args:
            folder: Folder of that store's journals.
            store: The store.

        Raises:
            OSError: If it cannot be written.
        """
        refused = read_entries(refused_path(self.path.parent, self.run_id))
        waiting = [*self.entries, *({**each, "refused": None} for each in refused)]
        new = Journal(folder, self.run_id, store)
        new.store = store
        new.entries = []
        for entry in waiting:
            own = {key: value for key, value in entry.items() if key != "refused"}
            if own["op"] == "artifact" and Path(own["file"]).exists():
                own["file"] = str(new.copy_file(Path(own["file"])))
            new.entries.append(own)
        new._rewrite()
        if len(read_entries(new.path)) != len(waiting):
            raise OSError(f"the journal {new.path} could not be written; {self.path} stays")
        new.set_note(None)
        if folder != self.path.parent:
            self.drop_all()
        else:
            refused_path(folder, self.run_id).unlink(missing_ok=True)

    def _rewrite(self) -> None:
        lines = (json.dumps(entry) + "\n" for entry in [self._header(), *self.entries])
        self._ends_in_mid_line = True
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with (
                replacing(self.path) as temporary,
                temporary.open("w", encoding="utf-8") as file,
            ):
                file.writelines(lines)
            self._ends_in_mid_line = False

    def _header(self) -> Entry:
        return {"op": _HEADER, **asdict(self.store)}


def read_entries(path: Path) -> list[Entry]:
    """Read the entries of a journal file, without incomplete lines; none if there is no file."""
    entries = [entry for entry in _read_lines(path) if entry["op"] != _HEADER]
    return [_with_present_file(entry, path.parent) for entry in entries]


def read_store(path: Path) -> StoreIdentity | None:
    """Read which store a journal is for; None if it does not say, as those of older versions."""
    for entry in _read_lines(path)[:1]:
        if entry["op"] == _HEADER:
            return StoreIdentity(str(entry.get("place", "")), str(entry.get("made", "")))
    return None


def read_note(path: Path) -> Note | None:
    """Read why a journal could not be delivered; None if nobody has failed to."""
    try:
        values = json.loads(path.with_suffix(".note").read_text())
        return Note(str(values["reason"]), bool(values["aside"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _read_lines(path: Path) -> list[Entry]:
    try:
        lines: Sequence[str] = path.read_text(encoding="utf-8", errors="replace").split("\n")
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


def _with_present_file(entry: Entry, folder: Path) -> Entry:
    """An entry that names its file where it lies now: the folder may have been moved."""
    if entry["op"] != "artifact" or Path(entry["file"]).exists():
        return entry
    moved = folder.joinpath(*Path(entry["file"]).parts[-3:])  # RUN, a number, the name
    return {**entry, "file": str(moved)} if moved.exists() else entry


def _copy_into(folder: Path, path: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / path.name
    if path.is_dir():
        shutil.copytree(path, copy, dirs_exist_ok=True)
    else:
        shutil.copy2(path, copy)
    return copy


def _ends_in_mid_line(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"
    except OSError:  # no file, or an empty one
        return False
