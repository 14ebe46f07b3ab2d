"""The sqlite file and its schema: made completely or not at all, never migrated without asking."""

import logging
import sqlite3
from functools import cache
from pathlib import Path
from typing import Any

from frostline.errors import TrackingError
from frostline.files import TEMPORARY_SUFFIX, replacing
from frostline.tracking.address import Address, escaped_path
from frostline.tracking.store_errors import (
    StoreUnavailableError,
    explained,
    explained_errors,
    upgrade_advice,
)

_log = logging.getLogger(__name__)
_MAX_LOCKED_S = 20.0  # how long another process may hold the database
_NETWORK_DISKS = ("nfs", "nfs4", "cifs", "smbfs", "smb3", "9p", "fuse.sshfs", "lustre", "afs")


def check_sqlite(address: Address) -> None:
    """Make a new database, or check the version of one that exists.

    Args:
        address: The address of a sqlite store.

    Raises:
        TrackingError: If the database cannot be made or read, or is of another version.
    """
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    database = address.database
    if database is None:
        raise AssertionError("only called for sqlite")
    disk = network_disk(database)
    if disk is not None:
        _log.warning(
            "%s lies on a network disk (%s), where sqlite loses rows when several machines write; "
            "for shared use, start an MLflow server and give its address: tracking.uri=http://...",
            database,
            disk,
        )
    if not database.exists() or database.stat().st_size == 0:
        # Under a temporary name first: a killed or failed migration leaves nothing behind.
        # Only one process at a time runs this, so temporary files are those of killed processes.
        for leftover in database.parent.glob(f".{database.name}.*{TEMPORARY_SUFFIX}*"):
            leftover.unlink(missing_ok=True)
        with replacing(database) as temporary:
            uri = f"sqlite:///{escaped_path(temporary)}"
            try:
                with explained_errors(address):
                    store = SqlAlchemyStore(  # type: ignore[no-untyped-call]
                        uri, str(address.artifact_root)
                    )
                store.engine.dispose()
                engines().pop(uri, None)
            finally:
                temporary.with_name(f"{temporary.name}-journal").unlink(missing_ok=True)
        return
    version = _sqlite_version(address, database)
    expected = newest_version()
    if version != expected:
        raise TrackingError(
            _version_message(address, version, expected), todo=upgrade_advice(address)
        )


@cache
def newest_version() -> str:
    """The schema's version that the installed MLflow writes; slow, as it reads all migrations."""
    from mlflow.store.db import utils as mlflow_db

    return str(mlflow_db._get_latest_schema_revision())  # type: ignore[no-untyped-call]


def network_disk(path: Path) -> str | None:
    """The file system's name if a path lies on a network disk; None for a local disk."""
    import psutil

    above = {str(folder) for folder in path.parents}
    mounts = [part for part in psutil.disk_partitions(all=True) if part.mountpoint in above]
    if not mounts:
        return None
    kind = str(max(mounts, key=lambda part: len(part.mountpoint)).fstype)
    return kind if kind in _NETWORK_DISKS else None


def _sqlite_version(address: Address, database: Path) -> str:
    """The schema's version, read without MLflow.

    MLflow would migrate some older databases by itself, without a backup.
    """
    # Not read-only: opening it rolls back what a killed process has half written.
    try:
        connection = sqlite3.connect(
            f"{database.as_uri()}?mode=rw", uri=True, timeout=_MAX_LOCKED_S
        )
        try:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError) and "no such table" not in str(error):
            raise explained(address, error) from error
        # A store in use may be damaged and be restored; until then its jobs go on without it.
        raise StoreUnavailableError(
            f"{database} is not a database of MLflow: {error}",
            todo="move it away, or choose another: tracking.uri=sqlite:///OTHER.db",
        ) from error
    return str(row[0]) if row else "none"


def _version_message(address: Address, version: str, expected: str) -> str:
    import mlflow

    return (
        f"the tracking store {address.shown} was written by another version of MLflow: its schema "
        f"is {version}, MLflow {mlflow.__version__} needs {expected}"
    )


def engines() -> dict[str, Any]:
    """MLflow's database engines in this process, one per address."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    engines: dict[str, Any] = getattr(SqlAlchemyStore, "_engine_map", {})
    return engines
