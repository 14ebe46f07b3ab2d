"""Whose run it is: noted on the run, and told from the lock whether that process still lives."""

import os
import socket
from pathlib import Path

import psutil

from frostline.locks import is_free
from frostline.tracking.records import RunRecord


def owner_tags() -> dict[str, str]:
    """The tags that name this process."""
    return {
        "frostline.host": socket.gethostname(),
        "frostline.pid": str(os.getpid()),
        "frostline.pid_since_s": f"{psutil.Process().create_time():.2f}",
    }


def life_lock(locks_dir: Path, run_id: str) -> Path:
    """The lock file that a run's owner holds while the run lives."""
    return locks_dir / f"run-{run_id}.lock"


def journal_name(record: RunRecord) -> str:
    """The name that a run has in journals and locks: the first one that it had."""
    return record.tags.get("frostline.local_id", record.run_id)


def is_abandoned(record: RunRecord, locks_dir: Path) -> bool:
    """Whether a running run's owner is surely dead.

    The lock decides where there is one. Without one (a run begun from another folder), the process
    noted on the run is looked for, on its own machine only; elsewhere nobody can tell, so no.
    """
    lock = life_lock(locks_dir, journal_name(record))
    if lock.exists():
        return is_free(lock)
    if record.tags.get("frostline.host") != socket.gethostname():
        return False
    try:
        process = psutil.Process(int(record.tags["frostline.pid"]))
        since_s = float(record.tags["frostline.pid_since_s"])
    except psutil.NoSuchProcess:
        return True
    except (KeyError, ValueError):
        return False
    # The number may have been given to another process since.
    started_s = float(process.create_time())
    return abs(started_s - since_s) > 1.0
