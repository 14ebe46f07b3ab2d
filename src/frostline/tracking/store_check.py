"""A walk through a store: what of its runs is damaged, or recorded under a digest not their own."""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from frostline.config.recorded_identity import has_own_digest
from frostline.config.schema import Settings
from frostline.config.versions import RESULTS_VERSION
from frostline.errors import FrostlineError
from frostline.tracking.abandoned import abandoned_runs
from frostline.tracking.reader import Reader
from frostline.tracking.records import RunRecord
from frostline.tracking.restore import CHECKPOINT
from frostline.tracking.run_contents import StoreSource, read_config

_JOB = {"frostline.kind": "job"}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        kind: `damaged`, `abandoned` or `wrong digest`.
        where: The run, or the store's file.
        what: What is wrong, in one line.
    """

    kind: str
    where: str
    what: str


def check_store(
    store: Reader, *, check_checkpoint: Callable[[Path], object], into: Path
) -> Iterator[Finding]:
    """Look at the database and at every job's run in all experiments.

    Args:
        store: The store.
        check_checkpoint: Reads a checkpoint; raises a FrostlineError if it is damaged.
        into: Folder for what must be downloaded.

    Yields:
        What is wrong, as it is found.

    Raises:
        TrackingError: If the store does not answer.
    """
    if store.address.database is not None:
        yield from _check_database(store.address.database)
    dead = {record.run_id for record in abandoned_runs(store, _JOB)}
    for record in store.find_runs(_JOB, everywhere=True):
        where = f"{record.name} ({record.run_id})"
        if record.run_id in dead:
            yield Finding("abandoned", where, "its process has died; its command resumes it")
        if record.status != "FINISHED":
            continue
        folder = into / record.run_id
        for problem in _damage(store, record, check_checkpoint, folder):
            yield Finding("damaged", where, problem)
        problem = wrong_digest(store, record, folder)
        if problem:
            yield Finding("wrong digest", where, problem)


def wrong_digest(store: Reader, record: RunRecord, folder: Path) -> str:
    """Whether a finished run's digest is not that of the inputs that it recorded as loaded.

    Runs of another version of the results answer no command, and pass.

    Returns:
        What is wrong; empty if nothing is, or if that is unknown.
    """
    tags = record.tags
    if tags.get("frostline.results_version") != str(RESULTS_VERSION):
        return ""
    try:
        settings = Settings.model_validate(read_config(store, record, folder))
    except (FrostlineError, ValidationError):
        return ""  # damaged, or of other settings: reported elsewhere
    if has_own_digest(settings, tags, planned={}):
        return ""
    return (
        "it was trained on other data, splits or weights than it was planned for; "
        "train it again with rerun=true"
    )


def _check_database(database: Path) -> Iterator[Finding]:
    try:
        connection = sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)
        try:
            rows = connection.execute("PRAGMA quick_check(5)").fetchall()
        finally:
            connection.close()
    except sqlite3.Error as error:
        rows = [(str(error),)]
    for (text,) in rows:
        if text != "ok":
            yield Finding("damaged", str(database), str(text))


def _damage(
    store: Reader, record: RunRecord, check_checkpoint: Callable[[Path], object], folder: Path
) -> Iterator[str]:
    """What of a finished run cannot be read; files that a run never has are not missed."""

    def read_checkpoint() -> object:
        folder_of = CHECKPOINT.rpartition("/")[0]
        if CHECKPOINT not in store.list_artifacts(record.run_id, folder_of):
            return None
        checksum = f"{CHECKPOINT}.sha256"
        if checksum in store.list_artifacts(record.run_id, folder_of):
            store.fetch_artifact(record.run_id, checksum, folder)
        return check_checkpoint(store.fetch_artifact(record.run_id, CHECKPOINT, folder))

    checks: list[Callable[[], object]] = [
        lambda: read_config(store, record, folder),
        read_checkpoint,
    ]
    for check in checks:
        try:
            check()
        except FrostlineError as error:
            yield error.given.splitlines()[0]
        except (OSError, ValueError) as error:
            yield f"{type(error).__name__}: {error}"
    # Held against the logged score too: whole, they may be another run's.
    if problem := StoreSource(store).damage(record):
        yield problem.splitlines()[0]
