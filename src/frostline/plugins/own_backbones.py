"""A user's own backbones: `conf/backbones/NAME.yaml` names the function that timm registers.

The folder's name is not that of the key `backbone`, which Hydra would then take for a group.
"""

from pathlib import Path
from typing import Any

import yaml

from frostline.errors import ConfigError
from frostline.plugins.folders import conf_folders
from frostline.plugins.source_code import code_digest

FOLDER = "backbones"


def own_backbones() -> dict[str, Path]:
    """Name of each own backbone to its yaml file."""
    files = [file for folder in conf_folders() for file in sorted((folder / FOLDER).glob("*.yaml"))]
    return {file.stem: file for file in reversed(files)}


def target_of(name: str) -> str | None:
    """The `_target_` of an own backbone; None if it is not one.

    Raises:
        ConfigError: If its yaml file names none.
    """
    file = own_backbones().get(name)
    if file is None:
        return None
    content: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or not isinstance(content.get("_target_"), str):
        raise ConfigError(
            f"backbone={name}: {file} has no _target_",
            f"one line: _target_: MODULE.{name}, the function that timm registers",
        )
    return str(content["_target_"])


def backbone_code(name: str) -> str | None:
    """Digest of an own backbone's code; None for one of timm."""
    target = target_of(name)
    return None if target is None else code_digest([target])


def with_code(name: str) -> str:
    """A backbone's name as caches know it: with the digest of its code if it is an own one."""
    code = backbone_code(name)
    return name if code is None else f"{name} {code}"
