"""Journals that earlier processes left, delivered to the store in an order that it can take."""

from pathlib import Path

from frostline.locks import OwnerLock
from frostline.tracking.address import Address
from frostline.tracking.journal import Entry, Journal, read_entries
from frostline.tracking.outbox import Outbox
from frostline.tracking.ownership import run_lock_path
from frostline.tracking.records import ENDED, PARENT_TAG
from frostline.tracking.store_client import StoreClient


def deliver_backlog(address: Address, store_client: StoreClient) -> int:
    """Send what earlier processes left in journals, sweeps before their jobs.

    Args:
        address: The store's address.
        store_client: The client of the store.

    Returns:
        How many runs still have something undelivered.
    """
    n_left = 0
    for run_id in _runs_with_journals(address):
        lock = OwnerLock(run_lock_path(address.locks_dir, run_id))
        if not store_client.is_worth_trying() or not lock.try_acquire(run_id):
            n_left += 1  # the store is down, or the run's owner is alive and will deliver
            continue
        journal = Journal(address.journals_dir, run_id)
        states = [entry["status"] for entry in journal.entries if entry["op"] == "status"]
        ended = bool(states) and states[-1] in ENDED
        delivered = Outbox(run_id, run_id, store_client=store_client, journal=journal).deliver()
        # The lock file of a run that never ended is left: it shows that its owner is dead.
        lock.release(remove=delivered and ended)
        n_left += not delivered
    return n_left


def _runs_with_journals(address: Address) -> list[str]:
    """Runs with a journal: sweeps before jobs, since a job's run names the run of its sweep."""
    starts = {path.stem: _first_entry(path) for path in address.journals_dir.glob("*.jsonl")}

    def order(run_id: str) -> tuple[bool, int]:
        start = starts[run_id]
        # Not by time alone: both may begin in one millisecond, and clocks may be set back.
        return start.get("tags", {}).get(PARENT_TAG) in starts, int(start.get("t", 0))

    return sorted(starts, key=order)


def _first_entry(path: Path) -> Entry:
    entries = read_entries(path)
    return entries[0] if entries else {}
