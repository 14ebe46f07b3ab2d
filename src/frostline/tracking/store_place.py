"""Where a server is, taken apart from who asks: user, password and options do not count.

An address that could be read in two ways is refused: what one program takes for a password,
another would ask the name resolver for.
"""

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlencode, urlsplit

from frostline.errors import TrackingError

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

_ENCODE = (
    "write / @ : ? # % in a user or a password as %2F %40 %3A %3F %23 %25, or give both to MLflow: "
    "MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_PASSWORD"
)
# Parameters that say where a database is; all others say who asks, or how.
_PLACES = ("host", "hostaddr", "port", "service", "dbname", "database", "unix_socket")
_ODBC_PLACES = ("server", "address", "addr", "database", "dsn")
_LOCAL = {"127.0.0.1": "localhost", "::1": "localhost"}


def server_place(uri: str) -> str:
    """An MLflow server's scheme, host, port and path.

    Args:
        uri: http:// or https://, with or without user and password.

    Raises:
        TrackingError: If it has no host, or a password that could be taken for a part of it.
    """
    parts = urlsplit(uri)
    rest = uri.partition("://")[2]
    authority = rest.partition("/")[0]
    is_unclear = (
        "@" in rest.removeprefix(authority)
        or authority.count("@") > 1
        or ("@" in authority) != (parts.username is not None)
    )
    if is_unclear or not parts.hostname or _port(uri) == -1:
        raise TrackingError(
            f"tracking.uri={uri}: it is unclear where its host begins or ends",
            "http(s)://HOST:PORT or http(s)://USER:PASSWORD@HOST:PORT",
            _ENCODE,
        )
    port = _port(uri) or {"http": 80, "https": 443}[parts.scheme.lower()]
    return f"{parts.scheme.lower()}://{_host(parts.hostname)}:{port}{parts.path.rstrip('/')}"


def database_place(uri: str) -> str:
    """A database's kind, host, port and name.

    Args:
        uri: As SQLAlchemy takes it.

    Raises:
        TrackingError: If it cannot be read, or has a password that could be taken for its host.
    """
    host, port = database_host(uri)
    url = _parsed(uri)
    where = {key: str(url.query[key]) for key in _PLACES if key in url.query}
    if "odbc_connect" in url.query:
        pairs = unquote(str(url.query["odbc_connect"])).split(";")
        named = (pair.partition("=") for pair in pairs)
        where |= {key.lower(): value for key, _, value in named if key.lower() in _ODBC_PLACES}
    query = f"?{urlencode(sorted(where.items()))}" if where else ""
    kind = url.drivername.partition("+")[0].lower()
    return f"{kind}://{_host(host)}{f':{port}' if port else ''}/{url.database or ''}{query}"


def database_host(uri: str) -> tuple[str, int | None]:
    """The host and the port of a database server; an empty host if the address names none.

    Raises:
        TrackingError: As `database_place`.
    """
    url = _parsed(uri)
    host = url.host or ""
    # SQLAlchemy takes what follows the first @ for the host, and so would the resolver.
    if "@" in host or "@" in (url.database or "") or (not host and "@" in uri.partition("?")[0]):
        raise _unreadable(uri)
    return host, url.port


def _parsed(uri: str) -> "URL":
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(uri)
    except (ArgumentError, ValueError):
        raise _unreadable(uri) from None


def _unreadable(uri: str) -> TrackingError:
    return TrackingError(
        f"tracking.uri={uri}: it is unclear where its host begins or ends",
        "postgresql://USER:PASSWORD@HOST:PORT/DATABASE, and likewise mysql://, mssql://",
        _ENCODE.partition(", or give")[0],
    )


def _port(uri: str) -> int | None:
    """The port; None if there is none, -1 if it is no number."""
    try:
        return urlsplit(uri).port
    except ValueError:
        return -1


def _host(name: str) -> str:
    return _LOCAL.get(name, name.lower())
