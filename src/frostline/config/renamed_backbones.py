"""Backbones that timm has renamed: their present names, read without importing timm."""

import importlib.util
import re
from functools import cache
from pathlib import Path

from frostline.config.default_tags import default_tag

_BLOCK = re.compile(r"^register_model_deprecations\((.*?)^\}\)", re.MULTILINE | re.DOTALL)
_PAIR = re.compile(r"['\"](\w+)['\"]\s*:\s*(?:['\"]([\w.]+)['\"]|None)")


@cache
def renamed_backbones() -> dict[str, str]:
    """Names that timm still maps to a new one, each with the new one; without timm there are none.

    Source: the tables that timm's modules give to `register_model_deprecations`. A new name is
    empty where timm has removed the model.
    """
    spec = importlib.util.find_spec("timm")
    if spec is None or not spec.submodule_search_locations:
        return {}
    folder = Path(spec.submodule_search_locations[0]) / "models"
    return {
        old: new
        for file in sorted(folder.glob("*.py"))
        for block in _BLOCK.findall(file.read_text(encoding="utf-8"))
        for old, new in _PAIR.findall(block)
    }


def present_name(name: str) -> str:
    """The name under which a backbone is known now, so that both spellings are one.

    Args:
        name: As typed. `gluon_resnet50_v1b` is `resnet50.gluon_in1k`, and a tag that is empty
            (`resnet18.`) or timm's own choice (`resnet50.a1_in1k`) is none. A name that is not
            renamed, or not known, stays as it is.
    """
    bare = name.removesuffix(".")
    bare = renamed_backbones().get(bare) or bare
    model, _, tag = bare.partition(".")
    return model if tag and tag == default_tag(model) else bare


def rename_note(typed: str, used: str) -> str:
    """A line for the terminal; empty where the name was used as typed."""
    if typed == used:
        return ""
    why = "timm has renamed it"
    if typed.partition(".")[0] == used:
        empty = typed == f"{used}."
        why = "the tag is empty" if empty else "its tag is the one that timm takes without any"
    return f"backbone={typed} is taken as {used}: {why}"
