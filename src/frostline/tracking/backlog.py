"""Journals that earlier processes left, delivered to the store in an order that it can take."""

import logging
from pathlib import Path

from frostline.locks import OwnerLock
from frostline.tracking.address import Address
from frostline.tracking.journal import Journal
from frostline.tracking.journal_file import Entry, journal_path, read_entries
from frostline.tracking.offline_runs import is_offline_id
from frostline.tracking.outbox import Outbox
from frostline.tracking.ownership import run_lock_path
from frostline.tracking.records import ENDED, PARENT_TAG
from frostline.tracking.store_client import StoreClient
from frostline.tracking.store_errors import is_missing

_log = logging.getLogger(__name__)


def deliver_backlog(address: Address, store_client: StoreClient) -> int:
    """Send what earlier processes left in this store's journals, sweeps before their jobs.

    Each journal is tried by itself: one that cannot be delivered, or read, holds up no other.

    Args:
        address: The store's address.
        store_client: The client of the store.

    Returns:
        How many runs still have something undelivered.
    """
    _adopt_older(address, store_client)
    n_left = 0
    for run_id in _runs_with_journals(address.journals_dir):
        try:
            n_left += not _deliver_one(address, store_client, run_id)
        except OSError as error:
            _log.warning("the journal of run %s cannot be read or written: %s", run_id, error)
            n_left += 1
    return n_left


def _deliver_one(address: Address, store_client: StoreClient, run_id: str) -> bool:
    """Deliver one journal; False while the store is down, or the run's owner is alive."""
    journal = Journal(address.journals_dir, run_id, store_client.connection.identity)
    outbox = Outbox(run_id, run_id, store_client=store_client, journal=journal)
    if outbox.undelivered.is_aside or not store_client.is_worth_trying():
        return False
    lock = OwnerLock(run_lock_path(address.locks_dir, run_id))
    if not lock.try_acquire(run_id):
        return False
    # Read again: its owner may have added to it until it released the lock.
    journal = Journal(address.journals_dir, run_id, store_client.connection.identity)
    states = [entry["status"] for entry in journal.entries if entry["op"] == "status"]
    ended = bool(states) and states[-1] in ENDED
    outbox = Outbox(run_id, run_id, store_client=store_client, journal=journal)
    delivered = False
    try:
        delivered = outbox.deliver()
    finally:
        # The lock file of a run that never ended is left: it shows that its owner is dead.
        lock.release(remove=delivered and ended)
    return delivered


def _runs_with_journals(folder: Path) -> list[str]:
    """Runs with a journal: sweeps before jobs, since a job's run names the run of its sweep."""
    starts = {path.stem: _first_entry(path) for path in folder.glob("*.jsonl")}

    def order(run_id: str) -> tuple[bool, int]:
        start = starts[run_id]
        # Not by time alone: both may begin in one millisecond, and clocks may be set back.
        return start.get("tags", {}).get(PARENT_TAG) in starts, int(start.get("t", 0))

    return sorted(starts, key=order)


def _first_entry(path: Path) -> Entry:
    try:
        entries = read_entries(path)
    except OSError:  # reported where it is delivered
        return {}
    return entries[0] if entries else {}


def _adopt_older(address: Address, store_client: StoreClient) -> None:
    """Take over journals of versions that kept those of all stores in one folder.

    They do not say which store they are for; it is this one if it has the run. One that began
    without a store waits until a person says where it belongs.
    """
    for path in address.all_journals_dir.glob("*.jsonl"):
        if is_offline_id(path.stem):
            continue
        try:
            store_client.client.get_run(path.stem)
            move_journal(path, address.journals_dir)
        except Exception as error:
            if not is_missing(error):
                _log.warning("the journal %s stays where it is: %s", path, error)


def move_journal(path: Path, folder: Path) -> None:
    """Move a journal with its files into another folder of journals.

    Raises:
        OSError: If it cannot be moved.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = path.with_suffix("")
    if files.is_dir():
        files.rename(folder / files.name)
    path.rename(journal_path(folder, path.stem))
