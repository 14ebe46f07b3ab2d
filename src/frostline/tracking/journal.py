"""A run's local journal: what the store has not confirmed yet, one JSON object per line.

Every entry carries its own time, so sending it again writes the same row, which MLflow keeps once.
A line that a crash or a full disk has cut off is ignored; the lines before it are read. The first
line says which store the entries are for.

Beside `RUN.jsonl` stand `RUN/` with copies of files, `RUN.note` if a delivery failed, and
`RUN.refused` with `RUN.refused-files/`: entries that the store refused, kept for a person.
"""

import contextlib
import json
import shutil
import time
from dataclasses import asdict
from pathlib import Path

from frostline.files import replacing
from frostline.tracking.journal_file import (
    HEADER,
    Entry,
    Note,
    ends_in_mid_line,
    journal_path,
    read_entries,
    read_note,
    read_store,
    refused_path,
)
from frostline.tracking.store_identity import StoreIdentity


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
        self._ends_in_mid_line = ends_in_mid_line(self.path)

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
        return {"op": HEADER, **asdict(self.store)}


def _copy_into(folder: Path, path: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / path.name
    if path.is_dir():
        shutil.copytree(path, copy, dirs_exist_ok=True)
    else:
        shutil.copy2(path, copy)
    return copy
