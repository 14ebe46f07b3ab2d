"""A data set given by --data: a path, or the run's own data with other settings."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from frostline.config.conf_files import group_defaults
from frostline.config.data_settings import DataChoice
from frostline.config.read import read_settings
from frostline.config.schema import Settings
from frostline.data.source_kind import source_kind
from frostline.errors import ConfigError

_ALLOWED = "DIR, FILE.csv, FILE.zip, and KEY=VALUE of its data group, such as on_bad_image=skip"


def data_of(
    words: Sequence[str], settings: Settings, value_range: Sequence[float] | None = None
) -> DataChoice:
    """Read the words after --data as settings of a data source.

    Args:
        words: A path first, if there is one, then KEY=VALUE; without a path the values change the
            run's own data group (`background=field` of the built-in leaves).
        settings: Of the run.
        value_range: Of the run: deep images are read as it was trained, unless the words say else.

    Raises:
        ConfigError: If a path, key or value is wrong.
    """
    paths = [word for word in words if "=" not in word or Path(word).expanduser().exists()]
    if len(paths) > 1 or (paths and words[0] != paths[0]):
        raise ConfigError(f"--data {' '.join(words)}: one path comes first", _ALLOWED)
    changes = dict(word.split("=", 1) for word in words if word not in paths)
    values = {key.removeprefix("data."): _value(key, text) for key, text in changes.items()}
    base = _from_path(Path(paths[0])) if paths else settings.data.model_dump(mode="json")
    own = getattr(settings.data, "on_bad_image", None)
    if own is not None and "on_bad_image" in base:
        base["on_bad_image"] = own  # a run trained on a folder with damage is judged on such
    if value_range is not None and "value_range" in base:
        base["value_range"] = list(value_range)
    whole = settings.model_dump(mode="json") | {"data": base | values, "weights": "random"}
    return read_settings(whole).data


def _from_path(path: Path) -> dict[str, Any]:
    source = source_kind(path)
    if source is None and not path.expanduser().exists():
        source = "folder"  # which reports that there is no such path
    if source is None:
        raise ConfigError(f"--data {path}: no known kind of data set", _ALLOWED)
    return group_defaults("data", source) | {"path": str(path)}


def _value(key: str, text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(f"--data {key}={text}: not a value", _ALLOWED) from None
