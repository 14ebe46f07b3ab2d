"""Errors of Hydra as errors of ours: what was given, what is allowed, what to do."""

import difflib
import re

from pydantic import BaseModel

from frostline.config.conf_files import STUDIES
from frostline.config.schema import Settings
from frostline.errors import ConfigError

SEE_ALL = "see all keys and defaults with: python -m src.train --cfg job"


def explain_hydra_error(error: Exception) -> ConfigError:
    """Turn an error of Hydra's composition into a message that the user can act on.

    Args:
        error: What Hydra raised: an unknown key, an unknown option of a group, a value that its
            grammar cannot read, or anything else.
    """
    text = str(error)
    if unknown := re.search(r"Could not override '([^']+)'", text):
        return unknown_key(unknown[1])
    if option := re.search(r"Could not find '([^']+)/([^'/]+)'", text):
        return _unknown_option(option[1], option[2], re.findall(r"^\t([\w-]+)$", text, re.M))
    if group := re.search(r"Could not override '?([\w/@.]+)'?\.\s*No match", text):
        return unknown_key(group[1])
    if ambiguous := re.search(r"Ambiguous value for argument '([^']+)'", text):
        return ConfigError(
            f"{ambiguous[1]}: several values, but this is a single run",
            todo="add -m to run them all: python -m src.train -m ...",
        )
    if double := re.search(r"An item is already at '([^']+)'", text):
        return ConfigError(f"+{double[1]}: the key exists already", todo=f"write {double[1]}=VALUE")
    first = next((line for line in text.splitlines() if line.strip()), type(error).__name__)
    cause = f": {error.__cause__}".splitlines()[0] if error.__cause__ else ""
    return ConfigError(
        f"the command line cannot be read: {first}{cause}",
        "key=value, or with -m key=value,value",
        "quote values that hold spaces, commas or brackets: 'data.path=\"my leaves\"'",
    )


def unknown_key(key: str) -> ConfigError:
    """The message for a key that does not exist here, with the nearest ones that do."""
    group = key.split(".")[0]
    if key in known_keys():
        return ConfigError(
            f"{key}: the chosen {group} has no such key; another one has",
            f"see conf/{group}/ for the choices and their keys",
            f"choose the other one: {group}=NAME {key}=VALUE",
        )
    close = difflib.get_close_matches(key, known_keys(), n=3, cutoff=0.6)
    return ConfigError(
        f"{key}: there is no such key",
        f"nearest: {', '.join(close)}" if close else ", ".join(Settings.model_fields),
        SEE_ALL,
    )


def known_keys() -> list[str]:
    """All keys, with dots, of all members of all groups."""
    keys: list[str] = []
    for name, field in Settings.model_fields.items():
        keys.append(name)
        members = getattr(field.annotation, "__args__", (field.annotation,))
        for member in members:
            if isinstance(member, type) and issubclass(member, BaseModel):
                keys += [f"{name}.{inner}" for inner in member.model_fields]
    return list(dict.fromkeys(keys))


def _unknown_option(group: str, option: str, options: list[str]) -> ConfigError:
    if not options:
        # Hydra lists no options for a folder that holds other files too, such as experiments/.
        folder = STUDIES.parent / group
        options = sorted(file.stem for file in folder.glob("*.yaml"))
    close = difflib.get_close_matches(option, options, n=1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    return ConfigError(
        f"{group}={option}: there is no such option{hint}",
        ", ".join(options) or f"nothing yet: {group}/ holds no .yaml file",
        f"or add one: {'' if group == 'experiments' else 'conf/'}{group}/{option}.yaml",
    )
