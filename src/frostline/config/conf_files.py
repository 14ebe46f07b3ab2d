"""The folders conf/ and experiments/: where they are, and the values conf/ sets for a group.

They stand beside src/ in a checkout, and within the package where it was installed from a wheel.
"""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from frostline.plugins.folders import conf_folders

_PACKAGE = Path(__file__).resolve().parents[1]
_INSTALLED = _PACKAGE / "conf"
CONF = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parents[1] / "conf"
STUDIES = CONF / "experiments"
# They change keys of other groups, and a run usually names none of their options.
GROUPS_WITHOUT_DEFAULT = ("debug",)


def default_choices() -> dict[str, str]:
    """The option of each group of conf/ that a run takes if it names none."""
    return {
        key: str(choice)
        for entry in _top()["defaults"]
        if isinstance(entry, dict)
        for key, choice in entry.items()
        if " " not in key and choice is not None
    }


def default_scalar(key: str) -> str:
    """The default of a plain key of the whole config, such as `backbone`."""
    return str(_top()[key])


def _top() -> dict[str, Any]:
    """What train.yaml says."""
    file = CONF / "train.yaml"
    return _parsed(file, file.stat().st_mtime_ns)


@cache
def _parsed(file: Path, _changed_ns: int) -> dict[str, Any]:
    """A file that every job of a command asks for; not to be changed."""
    content: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return content


def option_file(group: str, choice: str) -> Path:
    """The file of an option: Frostline's, or a user's own."""
    files = [folder / group / f"{choice}.yaml" for folder in (CONF, *conf_folders())]
    return next((file for file in files if file.is_file()), files[0])


def group_defaults(group: str, choice: str) -> dict[str, Any]:
    """The values that conf/GROUP/CHOICE.yaml sets in its group; empty if there is no such file."""
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
    """Whether a file of conf/ sets keys of the whole config, as the strategies do."""
    return file.read_text(encoding="utf-8").startswith("# @package _global_")
