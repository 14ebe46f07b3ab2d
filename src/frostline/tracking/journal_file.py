"""A journal's files, read: what waits for which store, and why it could not be delivered."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frostline.tracking.store_identity import StoreIdentity

Entry = dict[str, Any]
HEADER = "store"


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


def read_entries(path: Path) -> list[Entry]:
    """Read the entries of a journal file, without incomplete lines; none if there is no file."""
    entries = [entry for entry in _read_lines(path) if entry["op"] != HEADER]
    return [_with_present_file(entry, path.parent) for entry in entries]


def read_store(path: Path) -> StoreIdentity | None:
    """Read which store a journal is for; None if it does not say, as those of older versions."""
    for entry in _read_lines(path)[:1]:
        if entry["op"] == HEADER:
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
    """An entry that names its file where it is now: the folder may have been moved."""
    if entry["op"] != "artifact" or Path(entry["file"]).exists():
        return entry
    moved = folder.joinpath(*Path(entry["file"]).parts[-3:])  # RUN, a number, the name
    return {**entry, "file": str(moved)} if moved.exists() else entry


def ends_in_mid_line(path: Path) -> bool:
    """Whether a file's last line was cut off, so that the next one would run into it."""
    try:
        with path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"
    except OSError:  # no file, or an empty one
        return False
