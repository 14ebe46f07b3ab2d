"""Secrets out of everything that is printed, logged or stored: one function for all texts.

It goes by the forms in which secrets occur, wherever they stand: in a command, an error of a
library, a file of settings. In doubt it hides too much: a host that cannot be read in a message
costs a question, a password in a report that somebody hands on costs more.
"""

import logging
import re
import sys
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

HIDDEN = "***"

_SECRET = (
    r"(?:passwords?|passwd|passphrase|pwd|secret|token|signature|credentials?|authorization|"
    r"api[_\-]?key|access[_\-]?key|private[_\-]?key|ssl[_\-]?key|account[_\-]?key)"
)
_NAME = rf"[A-Za-z0-9_.\-]*{_SECRET}(?:[_\-]?id|\d+)?"
# What ends a part of an address in a text: white space, or the quote that encloses it.
_IN_ADDRESS = r"""(?:(?!["'](?:[,\s\]})]|$))\S)"""
_USERINFO = re.compile(
    rf"(?P<scheme>\b(?!(?:sqlite|file)\b)[A-Za-z][A-Za-z0-9+.\-]*)://"
    rf"(?P<userinfo>{_IN_ADDRESS}*)@",
    re.IGNORECASE | re.MULTILINE,
)
_DATABASES = ("postgres", "mysql", "mariadb", "mssql", "oracle")
_WITHOUT_SCHEME = re.compile(r"""(?P<user>[^\s:/@=,'"]+):(?!\s|/)[^\s@]+@(?=[\w\[])""")
_QUERY = re.compile(
    rf"(?P<name>[?&;](?:{_NAME}|sig|pass|pw|auth|key|odbc_connect)=)[^&\s'\"]+", re.IGNORECASE
)
_HEADER = re.compile(
    r"(?P<name>(?:authorization[\"']?\s*[:=]\s*[\"']?(?:[A-Za-z]+\s+)?|\bbearer\s+))"
    r"[A-Za-z0-9+/=._~\-]{6,}",
    re.IGNORECASE,
)
_YAML_LINE = re.compile(rf"(?P<name>^[ \t-]*{_NAME}:[ \t]+)(?P<value>\S.*)$", re.I | re.M)
_PAIR = re.compile(
    rf"""(?P<name>\b{_NAME}["']?(?:\s*=\s*|:\s*|%3D))"""
    r"""(?P<value>"(?:[^"\\]|\\.)*"|'[^']*'|[^\s,;&}\]'"]+)""",
    re.IGNORECASE,
)
_NOTHING = {"null", "none", "true", "false", HIDDEN, '""', "''"}
_is_secret_name = re.compile(rf"{_NAME}", re.IGNORECASE).fullmatch


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """A text without the secrets in it.

    Hidden are users and passwords in addresses of every kind, parameters and settings whose names
    say that they are secret (`password=`, `sslkey=`, `X-Amz-Signature=`, `MLFLOW_TRACKING_TOKEN`),
    and headers of authorization.

    Args:
        text: Any text; in it, what is hidden becomes `***`.
        secrets: Words that are known to be secret, in whatever form they occur.

    Returns:
        The text; redacting it again changes nothing.
    """
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    if "@" in text:
        text = _USERINFO.sub(_without_userinfo, text)
        text = _WITHOUT_SCHEME.sub(rf"\g<user>:{HIDDEN}@", text)
    text = _QUERY.sub(rf"\g<name>{HIDDEN}", text)
    text = _HEADER.sub(rf"\g<name>{HIDDEN}", text)
    text = _YAML_LINE.sub(_without_value, text)
    return _PAIR.sub(_without_value, text)


def redacted_values(value: Any) -> Any:
    """Plain containers without the secrets in their texts; a secret's name hides its value."""
    if isinstance(value, Mapping):
        return {
            key: HIDDEN
            if isinstance(key, str) and isinstance(inner, str) and _is_secret_name(key)
            else redacted_values(inner)
            for key, inner in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [redacted_values(inner) for inner in value]
    return redacted(value) if isinstance(value, str) else value


def redact_yaml_files(folder: Path) -> None:
    """Redact the YAML files of a folder that another library has written, such as Hydra.

    Raises:
        OSError: If one cannot be read or written.
    """
    for path in sorted(folder.glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        shown = redacted(text)
        if shown != text:
            path.write_text(shown, encoding="utf-8")


def hide_secrets_in_output() -> None:
    """Redact what this process logs, by any library, and the trace of an error that ends it."""
    make = logging.getLogRecordFactory()
    if not getattr(make, "redacts", False):

        def make_redacted(*args: Any, **kwargs: Any) -> logging.LogRecord:
            record = make(*args, **kwargs)
            record.msg, record.args = redacted(_message_of(record)), ()
            if record.exc_info and record.exc_info[0] is not None:
                record.exc_text = redacted(_trace(*record.exc_info))
            return record

        make_redacted.redacts = True  # type: ignore[attr-defined]
        logging.setLogRecordFactory(make_redacted)
    sys.excepthook = _print_redacted


def _message_of(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):  # a library's own mistake in its format: logging reports it
        return str(record.msg)


def _print_redacted(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    print(redacted(_trace(kind, error, trace)), end="", file=sys.stderr)


def _trace(
    kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
) -> str:
    return "".join(traceback.format_exception(kind, error, trace))


def _without_userinfo(found: re.Match[str]) -> str:
    """Keep a database's user, who is a name; what stands before another address may be a token."""
    scheme, userinfo = found["scheme"], found["userinfo"]
    user, separator, _ = userinfo.partition(":")
    if not scheme.lower().startswith(_DATABASES) or not re.fullmatch(r"[\w.\-]*", user):
        return f"{scheme}://{HIDDEN}@"
    return f"{scheme}://{user}{separator}{HIDDEN if separator else ''}@"


def _without_value(found: re.Match[str]) -> str:
    value = found["value"]
    if value.lower() in _NOTHING:
        return found[0]
    quote = value[0] if value[0] in "\"'" and value[-1] == value[0] else ""
    return f"{found['name']}{quote}{HIDDEN}{quote}"
