"""Whether a store is at its address at all, asked within seconds, before MLflow is loaded."""

import socket
import urllib.error
import urllib.parse
import urllib.request

from frostline.config.credentials import login_header, without_login
from frostline.errors import TrackingError
from frostline.tracking.address import Address
from frostline.tracking.store_errors import StoreUnavailableError
from frostline.tracking.store_place import database_host

_SERVER_ANSWER_S = 5
_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}


def check_server_answers(address: Address) -> None:
    """Check that a server answers at all; an error page is an answer too.

    Raises:
        StoreUnavailableError: If it does not.
    """
    uri = without_login(address.uri)
    request = urllib.request.Request(uri + "/health", headers=dict(login_header(address.uri)))
    try:
        with urllib.request.urlopen(request, timeout=_SERVER_ANSWER_S):
            pass
    except urllib.error.HTTPError:
        pass
    except (urllib.error.URLError, TimeoutError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        if "CERTIFICATE" in str(reason).upper():
            return  # MLflow has its own settings for certificates
        raise StoreUnavailableError(
            f"the MLflow server {address.shown} does not answer: {address.hide(str(reason))}",
            todo="start it (mlflow server --port ...), or store the runs in local journals until a "
            "later command delivers them: tracking.offline=true",
        ) from error


def check_port_answers(address: Address) -> None:
    """Check that somebody listens at a database server's port, as far as the address names one.

    Raises:
        StoreUnavailableError: If nobody does.
    """
    host, port = database_host(address.uri)
    if not host:
        return  # in its parameters, or the driver knows: a socket, a service
    scheme = urllib.parse.urlsplit(address.uri).scheme.lower()
    try:
        port = port or _PORTS[scheme.split("+")[0]]
        socket.create_connection((host, port), _SERVER_ANSWER_S).close()
    except OSError as error:
        raise StoreUnavailableError(
            f"the database server of {address.shown} does not answer: {address.hide(str(error))}",
            todo="start it, or store the runs in local journals until a later command delivers "
            "them: tracking.offline=true",
        ) from error


def check_file_exists(address: Address) -> None:
    """Refuse to read a sqlite store that nobody has made, and for which nothing waits.

    Raises:
        TrackingError: If there is neither.
    """
    database = address.database
    if database is None or database.is_file() or any(address.journals_dir.glob("*.jsonl")):
        return
    raise TrackingError(
        f"there is no store at {address.shown}, so there are no runs",
        todo="give the command in the folder of your runs, or name their store: "
        "--uri sqlite:////PATH/mlflow.db",
    )
