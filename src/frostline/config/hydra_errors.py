"""Errors of Hydra as errors of ours: what was given, what is allowed, what to do."""

import re
from pathlib import Path

from frostline.config.accepted import accepts
from frostline.config.conf_files import CONF, STUDIES, group_defaults
from frostline.config.likely_key import known_keys, likely_keys
from frostline.config.likely_option import groups_with, likely_option, remark
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
        typed = re.search(r"append to your config use \+[^=\s]+=(.*)", text)
        return unknown_key(unknown[1], typed[1].strip() if typed else "")
    if option := re.search(r"Could not find '([^']+)/([^'/]+)'", text):
        return _unknown_option(option[1], option[2], re.findall(r"^\t([\w-]+)$", text, re.M))
    if group := re.search(r"Could not override '?([\w/@.]+)'?\.\s*No match", text):
        return unknown_key(group[1])
    if ambiguous := re.search(r"Ambiguous value for argument '([^']+)'", text):
        return ConfigError(
            f"{ambiguous[1]}: several values, but this is a single run",
            todo="add -m to run them all: python -m src.train -m ..."
            + (
                "; one rectangle is image_size=[HEIGHT,WIDTH]"
                * ambiguous[1].startswith("image_size=")
            ),
        )
    if double := re.search(r"An item is already at '([^']+)'", text):
        return ConfigError(f"+{double[1]}: the key exists already", todo=f"write {double[1]}=VALUE")
    if "does not support sweep type" in text:
        return ConfigError(
            "interval(...): every value is a job of its own, so a range without steps is none",
            "a list, such as lr=1e-4,1e-3,1e-2, or seed=range(0,3)",
            "list the values; for the learning rate lr=auto finds each configuration's own",
        )
    first = next((line for line in text.splitlines() if line.strip()), type(error).__name__)
    cause = f": {error.__cause__}".splitlines()[0] if error.__cause__ else ""
    return ConfigError(
        f"the command line cannot be read: {first}{cause}",
        "key=value, or with -m key=value,value",
        "quote values that hold spaces, commas or brackets: 'data.path=\"my leaves\"'",
    )


def unknown_key(key: str, value: str = "") -> ConfigError:
    """The message for a key that does not exist here, with the nearest ones that do.

    Args:
        key: As typed.
        value: As typed; empty if that is not known.
    """
    if key in known_keys() and "." in key:
        return _key_of_another_option(key, value)
    meant = likely_keys(key)
    if not meant:
        return ConfigError(f"{key}: there is no such key", ", ".join(_typed_keys()), f"{SEE_ALL}")
    if len(meant) > 1:
        return ConfigError(
            f"{key}: there is no such key", f"nearest: {', '.join(meant)}", f"{SEE_ALL}"
        )
    if meant[0] == "weights" and value.lower() in {"true", "false"}:
        value = "pretrained" if value.lower() == "true" else "random"
    is_option = value.isidentifier() and (CONF / meant[0] / f"{value}.yaml").is_file()
    fits = value and (is_option or accepts(meant[0], value) or meant[0].startswith("hydra"))
    return ConfigError(
        f"{key}: there is no such key (nearest: {meant[0]})",
        todo=f"write {meant[0]}={value if fits else 'VALUE'}; {SEE_ALL}",
    )


def _key_of_another_option(key: str, value: str) -> ConfigError:
    """The message for `head.hidden` where the chosen head has no hidden layer."""
    group, _, inner = key.partition(".")
    files = sorted((CONF / group).glob("*.yaml"))
    options = [file.stem for file in files if inner in group_defaults(group, file.stem)]
    choice = options[0] if len(options) == 1 else "NAME"
    return ConfigError(
        f"{key}: the chosen {group} has no such key; another one has",
        f"with {', '.join(f'{group}={option}' for option in options)}",
        f"choose the other one: {group}={choice} {key}={value or 'VALUE'}",
    )


def _typed_keys() -> list[str]:
    return [name for name in Settings.model_fields if name not in {"sweep", "plugins"}]


def _unknown_option(group: str, option: str, options: list[str]) -> ConfigError:
    if not options:
        # Hydra lists no options for a folder that holds other files too, such as experiments/.
        folder = STUDIES.parent / group
        options = sorted(file.stem for file in folder.glob("*.yaml"))
    given = f"{group}={option}: there is no such option"
    if group == "data" and Path(option).expanduser().exists():
        return ConfigError(f"{given}, but a path", todo=f"write data.path={option}")
    elsewhere = [each for each in groups_with(option) if each != group]
    meant = likely_option(group, option, options)
    # An exact name in another group says more than a similar one in this.
    if elsewhere and not (meant and option in meant):
        meant, hint = None, f" (did you mean {elsewhere[0]}={option}?)"
    else:
        hint = f" (did you mean {meant}?)" if meant else ""
    own = "" if group == "experiments" else "conf/"
    return ConfigError(
        given + hint,
        ", ".join(options) or f"nothing yet: {group}/ holds no .yaml file",
        f"write {group}={meant}{remark(group, meant)}"
        if meant
        else f"or add one: {own}{group}/{option}.yaml",
    )
