"""Python values as the words of a command: what `frostline.sweep` was given, spelled for Hydra."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from frostline.data.source_kind import source_kind
from frostline.errors import ConfigError

# What stands unquoted in Hydra's grammar and is read back as the same text.
_PLAIN = re.compile(r"[A-Za-z_/.][\w./+@:-]*")
_LITERALS = {"true", "false", "null", "inf", "nan", "yes", "no", "on", "off"}
_ONE_VALUE = re.compile(r"[A-Za-z_]\w*(\.\w+)*")


def words_of(settings: Mapping[str, Any]) -> list[str]:
    """One word for each setting; a list is swept over, a tuple is one value that is a list.

    Args:
        settings: Key, as in conf/ (`data.n_images`, or `data__n_images`), to its value. An array of
            NumPy or pandas is the list of its numbers.

    Raises:
        ConfigError: For a key that cannot be one, an empty list, or a value of another type.
    """
    words: list[str] = []
    for name, value in settings.items():
        key = name.replace("__", ".")
        value = _plain(value)
        if not _ONE_VALUE.fullmatch(key):
            raise ConfigError(f"{name!r}: this cannot be a key", "keys as in conf/, such as lr")
        if key == "data" and isinstance(value, str | Path) and _is_path(value):
            words += [f"data={_source_of(Path(value))}", f"data.path={_text(str(value))}"]
        elif isinstance(value, list | set | range):
            swept = [_value(key, each) for each in value]
            if not swept:
                raise ConfigError(f"{key}: an empty list", "at least one value to sweep over")
            words.append(f"{key}={','.join(swept)}")
        else:
            words.append(f"{key}={_value(key, value)}")
    return words


def _is_path(value: str | Path) -> bool:
    """Whether `data=` is given a place, not one of the options of conf/data."""
    return isinstance(value, Path) or "/" in value or "\\" in value or Path(value).exists()


def _source_of(path: Path) -> str:
    """Which of conf/data reads it; what no source reads is refused by the one for folders."""
    return source_kind(path) or "folder"


def _value(key: str, value: Any) -> str:
    match value:
        case None | bool():
            return json.dumps(value)
        case int() | float():
            return repr(value)
        case str() | Path():
            return _text(str(value))
        case Mapping():
            inner = ", ".join(f"{_text(str(k))}: {_value(key, v)}" for k, v in value.items())
            return f"{{{inner}}}"
        case Sequence():
            return f"[{', '.join(_value(key, each) for each in value)}]"
    if (plain := _plain(value)) is not value:
        return _value(key, plain)
    raise ConfigError(
        f"{key}={value!r}: a {type(value).__name__} cannot stand in a command",
        "numbers, text, paths, True, False, None, and lists, tuples or dicts of these",
    )


def _plain(value: Any) -> Any:
    """An array or number of NumPy, pandas or torch as lists and numbers; anything else as it is."""
    return value.tolist() if hasattr(value, "tolist") else value


def _text(value: str) -> str:
    if _PLAIN.fullmatch(value) and value.lower() not in _LITERALS:
        return value
    # In Hydra a backslash escapes the quote alone, and itself right before one.
    escaped = re.sub(r"(\\*)'", r"\1\1\\'", value)
    trailing = len(escaped) - len(escaped.rstrip("\\"))
    return f"'{escaped}{chr(92) * trailing}'"
