"""Runs in state RUNNING whose process is dead: found, and marked as KILLED."""

import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from frostline.errors import TrackingError
from frostline.locks import is_free
from frostline.tracking.offline_runs import local_name
from frostline.tracking.ownership import run_lock_path
from frostline.tracking.reader import Reader
from frostline.tracking.records import RunRecord
from frostline.tracking.store import Store


def abandoned_runs(store: Reader, tags: Mapping[str, str]) -> list[RunRecord]:
    """Find runs in state RUNNING whose process is dead.

    Args:
        store: Where to look.
        tags: Tag to value, all of which must match.

    Raises:
        TrackingError: If the store does not answer.
    """
    running = store.find_runs(tags, status=["RUNNING"])
    return [record for record in running if _is_abandoned(record, store.address.locks_dir)]


def end_abandoned_runs(store: Store, tags: Mapping[str, str]) -> list[RunRecord]:
    """Mark abandoned runs as KILLED, with the reason; they can still be resumed.

    Args:
        store: Where to look.
        tags: Tag to value, all of which must match.

    Returns:
        The runs, as they were before.

    Raises:
        TrackingError: If the store does not answer.
    """
    ended = []
    for record in abandoned_runs(store, tags):
        with suppress(TrackingError):  # another process has just resumed it
            run = store.resume_run(record.run_id)
            pid = record.tags.get("frostline.pid", "?")
            run.finish("KILLED", f"its process {pid} died without ending it")
            ended.append(record)
    return ended


def _is_abandoned(record: RunRecord, locks_dir: Path) -> bool:
    """Whether the owner of a run in state RUNNING is surely dead.

    The lock decides if there is one. Without one (a run that began in another folder), the process
    that the run's tags name is looked for. Processes of another machine cannot be seen from here,
    so a run of another machine never counts as abandoned.
    """
    lock = run_lock_path(locks_dir, local_name(record))
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
