"""The config of a run that was recorded before some keys existed."""

from typing import Any

import yaml
from pydantic import ValidationError

from frostline.config.conf_files import CONF, default_choices, group_defaults
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
        return Settings.model_validate(completed(values))
    except ValidationError as error:
        places = sorted({".".join(map(str, problem["loc"])) for problem in error.errors()})
        raise ConfigError(
            f"the run's config.yaml cannot be read by this version: {', '.join(places[:8])}",
            todo="use the version of Frostline that the run names (tag mlflow.source.git.commit)",
        ) from None


def completed(values: dict[str, Any]) -> dict[str, Any]:
    """Values with the keys that they lack, as conf/ has them now."""
    top = yaml.safe_load((CONF / "train.yaml").read_text(encoding="utf-8"))
    choices = default_choices()
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
