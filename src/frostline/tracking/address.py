"""The address of a tracking store: made absolute, or refused with a reason."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from frostline.config.credentials import secrets_of, whole_uri
from frostline.errors import TrackingError
from frostline.invocation import as_called, in_checkout
from frostline.redact import redacted
from frostline.tracking.store_identity import folder_name
from frostline.tracking.store_place import database_place, server_place

ALLOWED = (
    "sqlite:///PATH.db, http(s)://HOST:PORT of an MLflow server, "
    "or postgresql://, mysql://, mssql:// with their drivers"
)
_ODD = "%?#"  # characters of file names that mean something else in a URL
_DATABASE_SCHEMES = ("postgresql", "mysql", "mssql")


@dataclass(frozen=True)
class Address:
    """The absolute address of a tracking store, the same from any working directory.

    Attributes:
        uri: The absolute address, as MLflow takes it: with its password, so never shown.
        kind: A sqlite file, an MLflow server, or a database server.
        database: The sqlite file; None for the other kinds.
        artifact_root: Absolute folder for artifacts; None where a server decides.
        state_dir: Folder for this machine's journals and locks.
        place: What sets this store apart from those that share `state_dir`: see `StoreIdentity`.
    """

    uri: str
    kind: Literal["sqlite", "server", "database"]
    database: Path | None
    artifact_root: Path | None
    state_dir: Path
    place: str

    @property
    def shown(self) -> str:
        """The address without a password."""
        return redacted(self.uri)

    def hide(self, text: str) -> str:
        """A text, such as a library's error, without this address's secrets in any form."""
        return redacted(text, secrets_of(self.uri))

    @property
    def ui_command(self) -> str:
        """The command that opens MLflow's page on this store."""
        if self.kind == "server":
            return f"open {self.shown} in a browser"
        if self == resolve_address("sqlite:///mlflow.db", Path.cwd()):
            return "make ui" if in_checkout() else as_called("python -m src.ui")
        return as_called(f"python -m src.ui --uri {self.shown}")

    @property
    def journals_dir(self) -> Path:
        """Folder for this store's journals: what it has not confirmed yet."""
        return self.all_journals_dir / folder_name(self.place)

    @property
    def all_journals_dir(self) -> Path:
        """Folder for the journals of all stores that share `state_dir`, a folder for each."""
        return self.state_dir / "journal"

    @property
    def locks_dir(self) -> Path:
        """Folder for the locks of runs and claims."""
        return self.state_dir / "locks"


def resolve_address(uri: str | None, folder: Path) -> Address:
    """Make a tracking address absolute, and refuse an address that cannot hold runs.

    Args:
        uri: The address given in the config; None means `MLFLOW_TRACKING_URI`, and without that
            `mlflow.db` in `folder`. An old `mlruns/` folder never changes this.
        folder: The folder that relative paths start from, usually the working directory.

    Raises:
        TrackingError: If the address is a folder, has an unknown scheme, or has a password that
            nobody could tell from its host.
    """
    here = folder.absolute()
    given = uri or os.environ.get("MLFLOW_TRACKING_URI", "").strip() or "sqlite:///mlflow.db"
    given = whole_uri(given)
    scheme = urlsplit(given).scheme.lower()
    if scheme == "sqlite":
        return _sqlite_address(given, here)
    if scheme in {"http", "https"}:
        place = server_place(given)
        return Address(given.rstrip("/"), "server", None, None, here / ".frostline", place)
    if scheme.split("+")[0] in _DATABASE_SCHEMES:
        place = database_place(given)
        artifacts = here / "mlartifacts"
        return Address(given, "database", None, artifacts, here / ".frostline", place)
    if scheme in {"", "file"}:
        raise TrackingError(
            f"tracking.uri={given}: MLflow no longer keeps runs in a folder of files",
            ALLOWED,
            f"use sqlite:///{re.sub('^file:(//)?', '', given).rstrip('/')}.db, or leave it out: "
            "the default is sqlite:///mlflow.db in the working directory",
        )
    meant = {"postgres": "postgresql://", "mariadb": "mysql://"}.get(scheme.split("+")[0])
    raise TrackingError(
        f"tracking.uri={given}: unknown scheme {scheme!r}",
        ALLOWED,
        f"write it as {meant}..." if meant else "",
    )


def _sqlite_address(given: str, here: Path) -> Address:
    path = given.removeprefix("sqlite:///") if given.startswith("sqlite:///") else ""
    if not path or path == ":memory:" or path.startswith("?"):
        raise TrackingError(
            f"tracking.uri={given}: runs must outlive the process, so the store must be a file",
            "sqlite:///relative/path.db or sqlite:////absolute/path.db",
        )
    database = Path(os.path.normpath(here / _file_of(path, here).expanduser()))
    if database.is_dir():
        raise TrackingError(
            f"tracking.uri={given}: {database} is a folder",
            "sqlite:///relative/path.db or sqlite:////absolute/path.db",
        )
    root = database.parent
    return Address(
        uri=f"sqlite:///{escaped_path(database)}",
        kind="sqlite",
        database=database,
        artifact_root=root / "mlartifacts",
        state_dir=root / ".frostline",
        # Without the folder, which may be moved with everything in it.
        place=f"sqlite:///{database.name}",
    )


def _file_of(path: str, here: Path) -> Path:
    """The file that an address means: as it stands where that exists, else as a URL."""
    literal = here / Path(path).expanduser()
    # Nobody escapes the name of a folder that they stand before.
    folder_is_odd = any(character in str(Path(path).parent) for character in _ODD)
    if literal.is_file() or (folder_is_odd and literal.parent.is_dir()):
        return Path(path)
    return Path(unquote(path.partition("?")[0]))


def escaped_path(database: Path) -> str:
    """The path as a part of a URL; only what SQLAlchemy would read otherwise is escaped."""
    return "".join(f"%{ord(each):02X}" if each in _ODD else each for each in str(database))
