"""What waits in the journals of a folder: for which store, for which run, how long, and why."""

from dataclasses import dataclass
from pathlib import Path

from frostline.errors import TrackingError
from frostline.locks import OwnerLock
from frostline.tracking.address import Address
from frostline.tracking.journal import Journal
from frostline.tracking.journal_file import (
    journal_path,
    read_entries,
    read_note,
    read_store,
    refused_path,
)
from frostline.tracking.ownership import run_lock_path
from frostline.tracking.store import Store
from frostline.tracking.store_identity import StoreIdentity


@dataclass(frozen=True)
class Waiting:
    """The journal of one run.

    Attributes:
        store: The store that it waits for; None if it does not say, as those of older versions.
        run_id: The run's id, `offline-...` for one that the store does not have.
        name: The run's name, as far as the journal says it.
        entries: How many entries wait.
        refused: How many entries the store has refused.
        since_s: Unix time of the oldest entry, or of the file.
        reason: Why it could not be delivered; empty if that has not failed.
        aside: Whether it is not tried again until a person says so.
        folder: Where it lies.
    """

    store: StoreIdentity | None
    run_id: str
    name: str
    entries: int
    refused: int
    since_s: float
    reason: str
    aside: bool
    folder: Path


def waiting_journals(address: Address) -> list[Waiting]:
    """All journals in the folder of a store, those for other stores included, the oldest first.

    Raises:
        OSError: If one cannot be read.
    """
    root = address.all_journals_dir
    found = {(p.parent, p.stem) for kind in ("*.jsonl", "*.refused") for p in root.rglob(kind)}
    return sorted((_read(*each) for each in found), key=lambda waiting: waiting.since_s)


def find_waiting(address: Address, run: str) -> Waiting:
    """The journal of a run, named by its id or the beginning of one, or by its name.

    Raises:
        TrackingError: If there is none, or more than one.
    """
    journals = waiting_journals(address)
    matching = [each for each in journals if each.run_id.startswith(run) or each.name == run]
    if len(matching) != 1:
        ids = ", ".join(each.run_id for each in matching or journals)
        raise TrackingError(
            f"{run}: {len(matching)} journals are called that in {address.all_journals_dir}",
            f"one of {ids}" if ids else "",
            "" if ids else "nothing waits there",
        )
    return matching[0]


def drop(address: Address, waiting: Waiting) -> None:
    """Remove a journal with all that it holds, because a person says so.

    Raises:
        TrackingError: If its run is alive.
    """
    with _owned(address, waiting):
        _journal(waiting, StoreIdentity("")).drop_all()


def send_again(store: Store, waiting: Waiting) -> int:
    """Deliver a journal to a store, because a person says so: whatever it was for or was refused.

    Returns:
        How many entries still wait or were refused.

    Raises:
        TrackingError: If its run is alive.
    """
    identity = store._store_client.connection.identity
    folder = store.address.journals_dir
    with _owned(store.address, waiting):
        _journal(waiting, identity).give_to(folder, identity)
    store.deliver_pending()
    left = _read(folder, waiting.run_id)
    return left.entries + left.refused


def _owned(address: Address, waiting: Waiting) -> OwnerLock:
    lock = OwnerLock(run_lock_path(address.locks_dir, waiting.run_id))
    if not lock.try_acquire(waiting.run_id):
        raise TrackingError(
            f"run {waiting.run_id} is still running", todo="wait for it, or end its process"
        )
    return lock


def _journal(waiting: Waiting, store: StoreIdentity) -> Journal:
    return Journal(waiting.folder, waiting.run_id, store)


def _read(folder: Path, run_id: str) -> Waiting:
    path, refused = journal_path(folder, run_id), refused_path(folder, run_id)
    entries, kept = read_entries(path), read_entries(refused)
    note = read_note(path)
    times_ms = [int(entry["t"]) for entry in [*entries, *kept] if "t" in entry]
    file = path if path.exists() else refused
    written_s = file.stat().st_mtime if file.exists() else 0.0
    reasons = [note.reason] if note else [str(entry.get("refused", "")) for entry in kept[:1]]
    return Waiting(
        store=read_store(path) or read_store(refused),
        run_id=run_id,
        name=next((str(entry["name"]) for entry in entries if entry["op"] == "create"), ""),
        entries=len(entries),
        refused=len(kept),
        since_s=min(times_ms) / 1000 if times_ms else written_s,
        reason=reasons[0] if reasons else "",
        aside=note is not None and note.aside,
        folder=folder,
    )
