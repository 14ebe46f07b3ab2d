"""The words of a command before Hydra reads them: what it would not understand, or differently.

Hydra has switches (`-m`, `--cfg job`) and words `key=value`; it reads a comma as the next value.
"""

import re
from collections.abc import Sequence

from frostline.config.accepted import accepts
from frostline.config.likely_key import known_keys, likely_keys
from frostline.config.likely_option import groups_with
from frostline.errors import ConfigError

# Hydra's own, of which argparse accepts beginnings too.
SWITCHES = (
    "--help", "--hydra-help", "--version", "--cfg", "--resolve", "--package", "--run", "--multirun",
    "--shell-completion", "--config-path", "--config-name", "--config-dir", "--experimental-rerun",
    "--info",
)  # fmt: skip
_SHORT = ("-h", "-c", "-p", "-r", "-m", "-sc", "-cp", "-cn", "-cd", "-i")
_WITH_VALUE = {"--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn"} | {
    "--config-dir", "-cd", "--experimental-rerun",
}  # fmt: skip
_DECIMAL_COMMA = re.compile(r"\d{1,9},(0\d+|[1-9]\d*)")
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(,\d{3})+")
_SWITCH = re.compile(r"--?([A-Za-z][\w.-]*)(?:=(.*))?")
_KEY = re.compile(r"[~+]*[\w./@-]+")


def checked_words(arguments: Sequence[str]) -> list[str]:
    """Refuse words that Hydra would dump its usage for, or take for something else.

    Args:
        arguments: Of the command line.

    Returns:
        The same words, the switches first: Hydra reads no setting after one that follows a setting.

    Raises:
        ConfigError: With the word as it would be understood.
    """
    switches: list[str] = []
    settings: list[str] = []
    before = ""
    for at, word in enumerate(arguments):
        after = arguments[at + 1] if at + 1 < len(arguments) else ""
        if before in _WITH_VALUE or (before in {"--info", "-i"} and "=" not in word):
            switches.append(word)
            before = ""
            continue
        before = word
        if word.startswith("-"):
            if not _is_switch(word):
                raise _foreign_switch(word, after)
            switches.append(word)
            continue
        if "=" not in word and not word.startswith("~"):
            raise _without_value(word, arguments, at)
        _check_comma(word)
        settings.append(word)
    return [*switches, *settings]


def _is_switch(word: str) -> bool:
    name = word.partition("=")[0]
    if name in _SHORT:
        return True
    return len(name) > 3 and any(switch.startswith(name) for switch in SWITCHES)


def _foreign_switch(word: str, after: str) -> ConfigError:
    match = _SWITCH.fullmatch(word)
    name = match[1] if match else word.lstrip("-")
    if name in {"sweep", "multi"}:
        return ConfigError(f"{word}: there is no such switch", "-m for a sweep", "-m key=a,b")
    key = (likely_keys(name) or ["KEY"])[0]
    value = (match[2] if match else None) or ""
    if not value and after and not after.startswith("-") and "=" not in after:
        value = after
    if not value:
        value = "true" if key in {"dry_run", "rerun", "report"} else "VALUE"
    given = f"{word} {after}".strip() if value == after else word
    return ConfigError(
        f"{given}: settings are written key=value, without dashes",
        "switches: -m (a sweep), --cfg job (all keys), --help",
        f"write {key}={value}",
    )


def _without_value(word: str, arguments: Sequence[str], at: int) -> ConfigError:
    before = arguments[at - 1] if at else ""
    after = list(arguments[at + 1 : at + 3])
    allowed = "key=value, or with -m key=value,value"
    if word == "=" or after[:1] == ["="] or before.endswith("="):
        return ConfigError(
            f"{' '.join(arguments[max(at - 1, 0) : at + 3])}: there is a space around `=`",
            allowed,
            "write it without spaces",
        )
    if before.endswith(",") or word.startswith(",") or after[:1] == [","]:
        return ConfigError(
            f"{before} {word}: there is a space in a list of values",
            allowed,
            f"write {before.rstrip(',')},{word.lstrip(',')}",
        )
    key, colon, value = word.partition(":")
    if colon and value and (key in known_keys() or likely_keys(key)):
        return ConfigError(f"{word}: there is no `=`", allowed, f"write {key}={value}")
    if "=" in before and not before.startswith("-") and "." in word + before:
        name, _, path = before.partition("=")
        if name.endswith("path"):
            return ConfigError(
                f"{before} {word}: there is a space in the path",
                allowed,
                f"""quote it twice: '{name}="{path} {word}"'""",
            )
    if word in known_keys():
        return ConfigError(f"{word}: a value is missing", allowed, f"write {word}=VALUE")
    groups = groups_with(word) if re.fullmatch(r"[\w-]+", word) else []
    meant = f"{groups[0]}={word}" if groups else f"KEY={word}, such as backbone={word}"
    return ConfigError(f"{word}: there is no `=`", allowed, f"write {meant}")


def _check_comma(word: str) -> None:
    """Refuse 0,001: to Hydra that is the two values 0 and 1.

    Raises:
        ConfigError: If a value is written with a comma for the point, or between thousands.
    """
    key, _, value = word.partition("=")
    if not _KEY.fullmatch(key):
        return
    decimal = _DECIMAL_COMMA.fullmatch(value)
    thousands = _THOUSANDS.fullmatch(value) and ",0" in value
    if not thousands and not (decimal and (decimal[1][0] == "0" or _only_as_one(key, value))):
        return
    first, *others = value.split(",")
    one = value.replace(",", "") if thousands else value.replace(",", ".")
    values = [first, *(str(int(other)) for other in others)]
    several = f"; the values, one job each: -m {key}={','.join(values)}"
    raise ConfigError(
        f"{word}: one number, or {len(values)} values?",
        f"the number: {key}={one}" + several * all(accepts(key, value) for value in values),
        "numbers have a point, commas stand between values",
    )


def _only_as_one(key: str, value: str) -> bool:
    """Whether the key takes 0.5 but not both of 0 and 5."""
    both = all(accepts(key, each) for each in value.split(","))
    return not both and accepts(key, value.replace(",", "."))
