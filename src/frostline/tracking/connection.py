"""MLflow's client: made here only, opened once, checked, and set to fail early."""

import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from frostline.errors import TrackingError
from frostline.locks import exclusive
from frostline.redact import hide_secrets_in_output
from frostline.tracking.address import Address
from frostline.tracking.database_schema import check_sqlite, engines
from frostline.tracking.store_errors import explained_errors, is_outage
from frostline.tracking.store_identity import StoreIdentity

if TYPE_CHECKING:
    from mlflow import MlflowClient
from frostline.tracking.store_reachable import check_port_answers, check_server_answers

_log = logging.getLogger(__name__)
_FIRST_EXPERIMENT = "0"
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # MLflow's own values make one call to a dead server last four minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}


class WrongStoreError(Exception):
    """Another store stands at the address of the one that entries wait for."""


class Connection:
    """A checked client of one store.

    Args:
        address: Where the store is.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self._client: MlflowClient | None = None
        self._when_made = ""

    @property
    def identity(self) -> StoreIdentity:
        """The store, as far as this process has seen it: its address, and when it was made."""
        return StoreIdentity(self.address.place, self._when_made)

    def identify(self) -> StoreIdentity:
        """Ask the store again which one it is: another may have taken its place since.

        Raises:
            TrackingError: If the store cannot be reached, or is of another version.
            MlflowException: If it does not answer now.
        """
        self._when_made = _read_when_made(self.client) or self._when_made
        return self.identity

    def check_is(self, meant: StoreIdentity) -> None:
        """Compare the store that answers with the one that a journal was begun for.

        Raises:
            WrongStoreError: If they differ.
            TrackingError: If the store cannot be reached, or is of another version.
            MlflowException: If it does not answer now.
        """
        if not meant.may_be(self.identify()):
            raise WrongStoreError(
                f"another store is at {self.address.shown} now than the one they are for"
            )

    @property
    def client(self) -> "MlflowClient":
        """The client, opened and checked on first use.

        Raises:
            TrackingError: If the store cannot be reached, or is of another version.
        """
        if self._client is None:
            from mlflow.exceptions import MlflowException

            self._client = _open_client(self.address)
            with suppress(MlflowException):
                self._when_made = _read_when_made(self._client)
        return self._client


def _read_when_made(client: "MlflowClient") -> str:
    """When a store was made: the time of its first experiment, which no user makes.

    Returns:
        Milliseconds since 1970; empty if the store does not say, for instance without permission.

    Raises:
        MlflowException: If the store does not answer.
    """
    try:
        return str(client.get_experiment(_FIRST_EXPERIMENT).creation_time or "")
    except Exception as error:
        if is_outage(error):
            raise
        return ""  # then the address alone decides


def _open_client(address: Address) -> "MlflowClient":
    for key, value in _ENVIRONMENT.items():
        os.environ.setdefault(key, value)
    hide_secrets_in_output()  # MLflow's and the database's own messages name the whole address
    if address.kind == "server":
        check_server_answers(address)  # before MLflow's import, which takes seconds
    elif address.kind == "database":
        check_port_answers(address)  # MLflow would retry for an hour
    from mlflow import MlflowClient

    _reconnect_in_children()

    # MLflow prints a traceback for every locked or full database; our message is one line.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    try:
        # Two clients that open a new database at the same time would both run the migrations, which
        # the client's constructor does, and break it.
        with exclusive(_opening_lock(address)):
            if address.database is not None:
                check_sqlite(address)
            with explained_errors(address):
                client = MlflowClient(tracking_uri=address.uri)
                client.search_experiments(max_results=1)
    except OSError as error:
        raise TrackingError(
            f"the tracking store {address.shown} cannot be opened: {error}",
            todo="choose a folder that can be written to: tracking.uri=sqlite:////PATH/mlflow.db",
        ) from error
    return client


def _opening_lock(address: Address) -> Path:
    if address.database is None:
        return address.state_dir / "store.lock"
    return address.database.with_name(address.database.name + ".lock")


_fork_hook: list[bool] = []


def _reconnect_in_children() -> None:
    """Make forked children open connections of their own; a shared one corrupts both processes.

    Source: https://docs.sqlalchemy.org/en/20/core/pooling.html#using-connection-pools-with-multiprocessing-or-os-fork
    """
    if not _fork_hook:
        _fork_hook.append(True)
        os.register_at_fork(after_in_child=_drop_inherited_connections)


def _drop_inherited_connections() -> None:
    for engine in engines().values():
        engine.dispose(close=False)
