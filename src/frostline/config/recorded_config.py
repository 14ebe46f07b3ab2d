"""The config of a run that was recorded before some keys existed."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from frostline.config.location import CONF
from frostline.config.schema import Settings
from frostline.errors import ConfigError


def recorded_settings(values: dict[str, Any]) -> Settings:
    """Read the config that a run was recorded with.

    Paths are not looked up, since neither the data nor the weights' file is needed to use a run.
    A key that did not exist when the run was made takes its present default.

    Args:
        values: What the run's config.yaml holds.

    Raises:
        ConfigError: If it is not the config of a run, or of one that this version cannot build.
    """
    try:
        return Settings.model_validate(_completed(values))
    except ValidationError as error:
        places = sorted({".".join(map(str, problem["loc"])) for problem in error.errors()})
        raise ConfigError(
            f"the run's config.yaml cannot be read by this version: {', '.join(places[:8])}",
            todo="use the version of Frostline that the run names (tag mlflow.source.git.commit)",
        ) from None


def group_defaults(group: str, choice: str) -> dict[str, Any]:
    """What conf/GROUP/CHOICE.yaml says of the group itself; empty if there is no such file."""
    file = CONF / group / f"{choice}.yaml"
    if not file.is_file():
        return {}
    content = _with_bases(file)
    if is_for_all_groups(file):
        content = content.get(group, {})
    return content


def _with_bases(file: Path) -> dict[str, Any]:
    """A file's values over those of the files that its defaults list names."""
    own: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    values: dict[str, Any] = {}
    for entry in own.pop("defaults", []):
        if isinstance(entry, str) and entry != "_self_":
            name = entry.partition("@")[0]
            folder = CONF if name.startswith("/") else file.parent
            values |= _with_bases(folder / f"{name.lstrip('/')}.yaml")
    return values | own


def is_for_all_groups(file: Path) -> bool:
    """Whether a file of conf/ speaks of the whole config, as the strategies do."""
    return file.read_text(encoding="utf-8").startswith("# @package _global_")


def _completed(values: dict[str, Any]) -> dict[str, Any]:
    """Values with the keys that they lack, as conf/ has them now."""
    top = yaml.safe_load((CONF / "train.yaml").read_text(encoding="utf-8"))
    choices = {
        key: str(choice)
        for entry in top.pop("defaults")
        if isinstance(entry, dict)
        for key, choice in entry.items()
        if " " not in key
    }
    scalars = {key: value for key, value in top.items() if key in Settings.model_fields}
    groups = {key: group_defaults(key, choice) for key, choice in choices.items()}
    complete = scalars | {key: value for key, value in groups.items() if value}
    for key, value in values.items():
        if key in choices and isinstance(value, dict):
            named = value.get("source" if key == "data" else "name", choices[key])
            complete[key] = group_defaults(key, str(named)) | value
        elif isinstance(value, dict) and isinstance(scalars.get(key), dict):
            complete[key] = scalars[key] | value
        else:
            complete[key] = value
    return complete
