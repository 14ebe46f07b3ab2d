"""Who set each value of a run: the defaults, the strategy, or a person."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig

from frostline.config.location import CONF
from frostline.config.schema import Settings

# What a sweep tells its jobs, and what says who set what.
NOT_SETTINGS = ("sweep", "strategy.typed", "strategy.choice", "experiments", "hydra")
NOT_TOLD = ("sweep", "strategy", "tracking")


def origins(
    values: Mapping[str, Any], *, typed: Iterable[str], by_strategy: Iterable[str]
) -> dict[str, str]:
    """Say of each key who set it: `user` wins over `strategy`, that over `default`.

    Args:
        values: Keys with dots, such as `head.dropout`, to values.
        typed: Keys or groups that a person set: `lr`, `head` (all of it), `head.dropout`.
        by_strategy: Keys or groups that the strategy sets.

    Returns:
        Key to `user`, `strategy` or `default`.
    """
    typed, by_strategy = tuple(typed), tuple(by_strategy)

    def who(key: str) -> str:
        if _covers(typed, key):
            return "user"
        return "strategy" if _covers(by_strategy, key) else "default"

    return {key: who(key) for key in values}


def origins_of(settings: Settings) -> dict[str, dict[str, Any]]:
    """Each key of a run with its value and who set it.

    Returns:
        Key to `{"value": ..., "by": "user" | "strategy" | "default"}`.
    """
    plain = settings.model_dump(mode="json")
    values = {key: value for key, value in flat(plain).items() if key.split(".")[0] not in NOT_TOLD}
    by = origins(
        values,
        typed=settings.strategy.typed or (),
        by_strategy=keys_of_file(CONF / "strategy" / f"{settings.strategy.in_force}.yaml"),
    )
    return {key: {"value": value, "by": by[key]} for key, value in values.items()}


def told(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Who set what in one line; whole groups where one hand set all of a group."""
    lines = []
    for who in ("user", "strategy"):
        keys = [key for key, entry in found.items() if entry["by"] == who]
        named = dict.fromkeys(_named(key, keys, found) for key in keys)
        if named:
            lines.append(f"{who}: {', '.join(named)}")
    return "; ".join([*lines, "the rest: defaults"])


def _named(key: str, keys: Sequence[str], found: Mapping[str, Any]) -> str:
    group = key.split(".")[0]
    whole = [other for other in found if other.split(".")[0] == group]
    return group if set(whole) <= set(keys) else key


def typed_keys(config: DictConfig) -> list[str]:
    """The keys and groups that a person set, on the command line or in a study.

    Args:
        config: What Hydra composed, with its `hydra` node.
    """
    keys = [key_of(text) for text in config.hydra.overrides.task]
    study = config.hydra.runtime.choices.get("experiments")
    if study:
        keys += keys_of_file(CONF / "experiments" / f"{study}.yaml")
    return [key for key in dict.fromkeys(keys) if not _covers(NOT_SETTINGS, key)]


def key_of(override: str) -> str:
    """The key of an override such as `+freeze=2`, `~mix` or `augment@augment=none`."""
    return override.lstrip("+~").split("=")[0].split("@")[0].strip("/ ")


def keys_of_file(file: Path) -> list[str]:
    """What a file for the whole config sets: keys, and groups that its defaults list chooses."""
    if not file.is_file():
        return []
    text = file.read_text(encoding="utf-8")
    if not text.startswith("# @package _global_"):
        return []
    content = yaml.safe_load(text) or {}
    chosen = [
        key.removeprefix("override ").strip("/ ")
        for entry in content.pop("defaults", [])
        if isinstance(entry, dict)
        for key in entry
    ]
    keys = [*chosen, *flat(content)]
    return [key for key in keys if not _covers(("hydra", "strategy"), key)]


def flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Nested values under keys with dots."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{before}{key}.")
        else:
            found[f"{before}{key}"] = value
    return found


def _covers(keys: Iterable[str], key: str) -> bool:
    return any(key == one or key.startswith((f"{one}.", f"{one}/")) for one in keys)
