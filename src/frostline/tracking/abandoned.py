"""Runs in state RUNNING whose process is dead: found, and marked as KILLED."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from frostline.errors import TrackingError
from frostline.locks import is_free
from frostline.tracking.offline_runs import local_name
from frostline.tracking.ownership import is_surely_dead, run_lock_path
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

    The lock decides if there is one: the kernel holds it for every process of the machine, in
    whatever container. Without one (a run that began in another folder), the process that the run's
    tags name is looked for.
    """
    lock = run_lock_path(locks_dir, local_name(record))
    return is_free(lock) if lock.exists() else is_surely_dead(record.tags)
