"""Who set each value of a run: a default, the strategy, or the user."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig

from frostline.config.conf_files import option_file
from frostline.config.schema import Settings

# Set by a sweep for its jobs, or a record of who set what: never typed by the user.
_NOT_TYPED = ("sweep", "plugins", "strategy.typed", "strategy.choice", "experiments", "hydra")
_NOT_LISTED = ("sweep", "plugins", "strategy", "tracking")


def origins(
    values: Mapping[str, Any], *, typed: Iterable[str], by_strategy: Iterable[str]
) -> dict[str, str]:
    """Name who set each key: `user` wins over `strategy`, and that over `default`.

    Args:
        values: Dotted keys, such as `head.dropout`, to values.
        typed: Keys or groups that the user set: `lr`, `head` (all of it), `head.dropout`.
        by_strategy: Keys or groups that the strategy sets.

    Returns:
        Key to `user`, `strategy` or `default`.
    """
    typed, by_strategy = tuple(typed), tuple(by_strategy)

    def origin(key: str) -> str:
        if _covers(typed, key):
            return "user"
        return "strategy" if _covers(by_strategy, key) else "default"

    return {key: origin(key) for key in values}


def origins_of(settings: Settings) -> dict[str, dict[str, Any]]:
    """List each key of a run with its value and who set it.

    Returns:
        Key to `{"value": ..., "by": "user" | "strategy" | "default"}`.
    """
    plain = settings.model_dump(mode="json")
    values = {
        key: value for key, value in flat(plain).items() if key.split(".")[0] not in _NOT_LISTED
    }
    by = origins(
        values,
        typed=settings.strategy.typed or (),
        by_strategy=keys_of_file(option_file("strategy", settings.strategy.in_force)),
    )
    return {key: {"value": value, "by": by[key]} for key, value in values.items()}


def origins_in_one_line(entries: Mapping[str, Mapping[str, Any]]) -> str:
    """Summarise `origins_of` in one line; a group whose keys have one origin is named once."""
    parts = []
    for origin in ("user", "strategy"):
        keys = [key for key, entry in entries.items() if entry["by"] == origin]
        names = dict.fromkeys(_group_or_key(key, keys, entries) for key in keys)
        if names:
            parts.append(f"{origin}: {', '.join(names)}")
    return "; ".join([*parts, "the rest: defaults"])


def _group_or_key(key: str, keys: Sequence[str], entries: Mapping[str, Any]) -> str:
    group = key.split(".")[0]
    whole = [other for other in entries if other.split(".")[0] == group]
    return group if set(whole) <= set(keys) else key


def typed_keys(config: DictConfig) -> list[str]:
    """List the keys and groups that the user set, on the command line or in a study.

    Args:
        config: What Hydra composed, with its `hydra` node.
    """
    keys = [key_of(override) for override in config.hydra.overrides.task]
    study = config.hydra.runtime.choices.get("experiments")
    if study:
        keys += keys_of_file(option_file("experiments", study))
    return [key for key in dict.fromkeys(keys) if not _covers(_NOT_TYPED, key)]


def key_of(override: str) -> str:
    """Return the key of an override such as `+freeze=2`, `~mix` or `augment@augment=none`."""
    return override.lstrip("+~").split("=")[0].split("@")[0].strip("/ ")


def keys_of_file(file: Path) -> list[str]:
    """List what a global config file sets: its keys, and the groups in its defaults list."""
    if not file.is_file():
        return []
    text = file.read_text(encoding="utf-8")
    if not text.startswith("# @package _global_"):
        return []
    content = yaml.safe_load(text) or {}
    groups = [
        key.removeprefix("override ").strip("/ ")
        for entry in content.pop("defaults", [])
        if isinstance(entry, dict)
        for key in entry
    ]
    keys = [*groups, *flat(content)]
    return [key for key in keys if not _covers(("hydra", "strategy"), key)]


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested values to dotted keys."""
    flattened: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            flattened |= flat(value, f"{prefix}{key}.")
        else:
            flattened[f"{prefix}{key}"] = value
    return flattened


def _covers(keys: Iterable[str], key: str) -> bool:
    return any(key == one or key.startswith((f"{one}.", f"{one}/")) for one in keys)
