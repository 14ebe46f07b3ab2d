"""Passwords of a store's address: kept for this command and its processes, and nowhere else.

Settings, and all that is written from them, hold an address without its password, as `redacted`
leaves it. The whole address is put aside in an environment variable, which the processes of a
sweep inherit, and is looked up where the store is opened.
"""

import base64
import netrc
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from frostline.errors import TrackingError
from frostline.redact import HIDDEN, redacted

# Our prefix: processes that were started earlier get the variables that have it at each call.
_KEPT = "FROSTLINE_TRACKING_URIS"
_KEY = "tracking.uri"
_GIVEN = "MLFLOW_TRACKING_URI"
_MLFLOW_SECRETS = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
# A shorter password would occur in words that are none.
_MIN_SECRET_CHARS = 5


def put_aside(uri: str) -> str:
    """Keep an address with its secrets for this process and those that it starts.

    Args:
        uri: The address as given.

    Returns:
        The address without its secrets, from which `whole_uri` finds it again.
    """
    shown = redacted(uri)
    if shown != uri:
        kept = [each for each in os.environ.get(_KEPT, "").split("\n") if each and each != uri]
        os.environ[_KEPT] = "\n".join([uri, *kept])
    return shown


def put_aside_in_command(arguments: Sequence[str]) -> list[str]:
    """A command line whose `tracking.uri=` has lost its secrets: Hydra writes it into files.

    Args:
        arguments: Words of the command line.
    """
    return [
        f"{key}={_put_aside_each(value)}" if key.lstrip("+") == _KEY else word
        for word in arguments
        for key, _, value in [word.partition("=")]
    ]


def whole_uri(uri: str) -> str:
    """The address that `put_aside` kept, the newest first; one that hides nothing is returned.

    Raises:
        TrackingError: If its secrets are not known here.
    """
    if HIDDEN not in uri:
        return uri
    kept = [*os.environ.get(_KEPT, "").split("\n"), os.environ.get(_GIVEN, "").strip()]
    for whole in kept:
        if whole != uri and redacted(whole) == uri:
            return whole
    raise TrackingError(
        f"tracking.uri={uri}: passwords are not kept, and {HIDDEN} stands for one",
        todo=f"give the whole address again, best in the environment: {_GIVEN}=...",
    )


def _put_aside_each(value: str) -> str:
    """One address, or several to sweep over, each perhaps in quotes."""
    shown = []
    for part in re.split(r""",(?=\s*["']?[A-Za-z][\w+.\-]*://)""", value):
        quote = part[0] if part[:1] in {"'", '"'} and part[-1] == part[0] else ""
        inner = part[1:-1] if quote else part
        shown.append(f"{quote}{put_aside(inner)}{quote}")
    return ",".join(shown)


def secrets_of(uri: str) -> list[str]:
    """The secrets that log in at an address, in the forms that libraries and servers show them in.

    They stand in the address, in MLflow's own variables, or in `.netrc`, which its client reads.

    Args:
        uri: The whole address.
    """
    userinfo = uri.partition("://")[2].rpartition("@")[0]
    user, _, password = userinfo.partition(":")
    forms = {password, unquote(password), quote(unquote(password), safe="")}
    forms |= {os.environ.get(key, "") for key in _MLFLOW_SECRETS}
    logins = [
        (unquote(user), unquote(password)),
        (os.environ.get("MLFLOW_TRACKING_USERNAME", ""), os.environ.get(_MLFLOW_SECRETS[0], "")),
        _netrc_login(uri),
    ]
    forms |= {logins[-1][1]}
    forms |= {_basic(*login) for login in logins if login[1]}
    return sorted(form for form in forms if len(form) >= _MIN_SECRET_CHARS)


def _netrc_login(uri: str) -> tuple[str, str]:
    """User and password that `.netrc` has for the host of an address; empty if there are none."""
    try:
        host = urlsplit(uri).hostname
        place = os.environ.get("NETRC") or Path("~/.netrc").expanduser()
        found = netrc.netrc(place).authenticators(host) if host else None
    except (OSError, ValueError, RuntimeError, netrc.NetrcParseError):
        return "", ""
    return (found[0], found[2] or "") if found is not None else ("", "")


def _basic(user: str, password: str) -> str:
    """A login as the header of an HTTP request carries it."""
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def login_header(uri: str) -> Mapping[str, str]:
    """The header that logs in with the user and the password of an address, as MLflow's client.

    Args:
        uri: http:// or https://; without a user the header is left out.
    """
    parts = urlsplit(uri)
    if parts.username is None:
        return {}
    login = _basic(unquote(parts.username), unquote(parts.password or ""))
    return {"Authorization": f"Basic {login}"}


def without_login(uri: str) -> str:
    """An http address without user and password, so that only a host is looked up."""
    parts = urlsplit(uri)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
