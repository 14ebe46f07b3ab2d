"""MLflow's errors as messages that say what to do."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from frostline.errors import TrackingError
from frostline.tracking.address import Address


class StoreUnavailableError(TrackingError):
    """The store does not answer now, but may later."""


# Errors that trying again will not change; all others may be temporary.
_FINAL_CODES = {
    "INVALID_PARAMETER_VALUE",
    "RESOURCE_DOES_NOT_EXIST",
    "RESOURCE_ALREADY_EXISTS",
    "INVALID_STATE",
    "BAD_REQUEST",
}


# How the database behind a store says that it, rather than a request, is at fault: MLflow passes
# that on as a bad request. A file that turned to garbage may be restored.
_DATABASE_FAULT = re.compile(
    r"\(\w+(?:\.\w+)*\.(?:DatabaseError|OperationalError|InternalError|InterfaceError)\)"
    r"|not a database|malformed|corrupt"
)


def is_final(error: BaseException) -> bool:
    """Whether the store refused a request for good, so that trying again is useless."""
    if getattr(error, "error_code", None) not in _FINAL_CODES:
        return False
    return _DATABASE_FAULT.search(str(error)) is None


def is_outage(error: BaseException) -> bool:
    """Whether an error surely means that the store does not answer now."""
    if isinstance(error, StoreUnavailableError):
        return True
    text = str(error)
    if getattr(error, "error_code", None) == "TEMPORARILY_UNAVAILABLE":
        return True
    # A server that answers each try of one request with its own error is there.
    return "API request to http" in text and "error responses" not in text


def is_missing(error: BaseException) -> bool:
    """Whether the store answered that there is no such thing."""
    return getattr(error, "error_code", None) == "RESOURCE_DOES_NOT_EXIST"


@contextmanager
def explained_errors(address: Address) -> Iterator[None]:
    """Turn MLflow's errors in a block into messages that say what to do.

    Raises:
        TrackingError: In place of an error of MLflow or of its database library.
    """
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError) as error:
        raise explained(address, error) from error


def upgrade_advice(address: Address) -> str:
    """What to do about a schema of another version."""
    copy = f"cp {address.database} {address.database}.backup" if address.database else "back it up"
    return (
        f"make a backup first ({copy}), then: mlflow db upgrade {address.shown}\n"
        "           if its schema is newer than this MLflow, install the newer MLflow instead, "
        "or start a new store: tracking.uri=sqlite:///NEW.db"
    )


def explained(address: Address, error: Exception) -> TrackingError:
    """The error to raise in place of one that MLflow or its database library raised."""
    text = " ".join(address.hide(str(error)).split())
    lower = text.lower()
    short = text if len(text) < 300 else text[:300] + "..."
    what = f"the tracking store {address.shown} failed: {short}"
    if "out-of-date database schema" in lower:
        return TrackingError(what, todo=upgrade_advice(address))
    if "disk is full" in lower or "disk i/o" in lower or "no space" in lower:
        return StoreUnavailableError(
            what, todo="free some space on that disk, or choose another store"
        )
    if "readonly" in lower or "unable to open database file" in lower:
        return StoreUnavailableError(
            what, todo="make that folder and file writable, or choose another store"
        )
    if "database is locked" in lower:
        return StoreUnavailableError(
            what,
            todo="another process holds the database; a store on a network disk should be an "
            "MLflow server instead",
        )
    if "401" in lower or "403" in lower or "permission_denied" in lower:
        return TrackingError(
            what,
            todo="give MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or start the server "
            "with --allowed-hosts",
        )
    kind = TrackingError if is_final(error) else StoreUnavailableError
    return kind(what, todo="check that the store is there, or use tracking.offline=true")
