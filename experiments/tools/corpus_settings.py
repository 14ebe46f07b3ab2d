"""Settings of a run that have no column in the corpus: those that differ from their defaults."""

from collections.abc import Mapping
from typing import Any

import yaml

from experiments.tools.corpus_file import PARAMS
from frostline.config.recorded_config import recorded_settings
from frostline.reporting.cell_settings import training_settings

# Columns say it: as a value, by a group's choice, in digests, or in `numerics`.
_SAID = {
    *PARAMS,
    "trainer.accelerator",
    "trainer.precision",
    "plugins.backbone",
}
# Of the data's keys, those that change neither the images nor their splits, which have digests.
_DATA = {"data.sampling"}


def other_settings(text: str) -> str:
    """Settings that change what is trained and that no column names, as `key=value key=value`.

    Left out are those that a run has which names only the choices of its groups. Files and folders
    are named by their last part.

    Args:
        text: The run's `config.yaml`.

    Raises:
        ConfigError: If this version cannot read it.
    """
    given: dict[str, Any] = yaml.safe_load(text)
    usual = recorded_settings(_choices(given)).model_dump(mode="json")
    own, expected = training_settings(text), training_settings(yaml.safe_dump(usual))
    differing = [
        f"{key}={last_part(value)}"
        for key, value in sorted(own.items())
        if value != expected.get(key) and not _is_said(key)
    ]
    tune = given.get("tune")
    if isinstance(tune, dict) and tune.get("name") not in ("lr", "none", None):
        differing.append(f"tune={tune['name']}")
    return " ".join(differing)


def last_part(name: str) -> str:
    """Of a path."""
    return name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]


def _choices(given: Mapping[str, Any]) -> dict[str, Any]:
    """What names the choice of each group, and where the data are."""
    data = {key: value for key, value in given["data"].items() if f"data.{key}" not in _DATA}
    chosen = {
        key: {"name": value["name"]}
        for key, value in given.items()
        if isinstance(value, dict) and "name" in value
    }
    return chosen | {"data": data}


def _is_said(key: str) -> bool:
    group, _, inner = key.partition(".")
    if group == "data":
        return key not in _DATA
    return key in _SAID or (group in PARAMS and inner == "name")
