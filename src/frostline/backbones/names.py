"""The valid names of backbones, read without importing timm, which takes seconds."""

import fnmatch
import importlib.util
import re
from functools import cache
from pathlib import Path

from frostline.backbones.similar_names import similar_names
from frostline.config.renamed_backbones import present_name, renamed_backbones
from frostline.errors import BackboneError
from frostline.plugins.own_backbones import own_backbones

OWN_NAMES = ("book_cnn",)
_REGISTERED = re.compile(r"^@register_model\s*\ndef\s+(\w+)\s*\(", re.MULTILINE)


@cache
def _timm_names() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names that timm registers and those that it has renamed."""
    spec = importlib.util.find_spec("timm")
    if spec is None or not spec.submodule_search_locations:
        raise BackboneError(
            given="timm is not installed, so there are no backbones",
            todo="run `make setup`",
        )
    names: set[str] = set()
    for file in sorted((Path(spec.submodule_search_locations[0]) / "models").glob("*.py")):
        names.update(_REGISTERED.findall(file.read_text(encoding="utf-8")))
    return tuple(sorted(names)), tuple(sorted(renamed_backbones().keys() - names))


def _natural(name: str) -> list[tuple[int, str | int]]:
    """Sort key that puts resnet18 before resnet101."""
    parts = re.split(r"(\d+)", name)
    return [(1, int(part)) if part.isdigit() else (0, part) for part in parts]


def list_backbones(pattern: str = "*") -> list[str]:
    """List the backbones whose name matches a shell pattern.

    Args:
        pattern: Such as `resnet50` or `vit_*`.

    Returns:
        Names in natural order; empty when none matches.
    """
    names = {*_timm_names()[0], *OWN_NAMES, *own_backbones()}
    return sorted(fnmatch.filter(names, pattern), key=_natural)


def split_tag(name: str) -> tuple[str, str]:
    """Split `resnet50.a1_in1k` into the architecture and the tag of its weights.

    Returns:
        The architecture, and the tag or an empty string.
    """
    base, _, tag = name.partition(".")
    return base, tag


def check_backbone_name(name: str) -> None:
    """Check that a backbone of this name can be built.

    Args:
        name: A timm model name, with or without the tag of its weights, `book_cnn`, or an own
            one: see plugins.own_backbones.

    Raises:
        BackboneError: The name is unknown, or is a path or address rather than a name.
    """
    if any(character in name for character in "/\\:"):
        raise BackboneError(
            given=f"backbone={name} is a path or an address, not a model's name",
            allowed="a timm model name such as resnet50 or resnet50.a1_in1k, or book_cnn",
            todo="give the model's name as backbone and the file as weights=PATH",
        )
    base, tag = split_tag(name)
    names, deprecated = _timm_names()
    if name in (own := own_backbones()):
        if name in {*names, *deprecated, *OWN_NAMES}:
            raise BackboneError(
                given=f"backbone={name}: {own[name]} has the name of one of timm's",
                todo=f"rename the file and the function, such as my_{name}",
            )
        return
    if base in deprecated:
        now = present_name(base)
        raise BackboneError(
            given=f"backbone={name}: timm has "
            + (f"renamed {base}" if now != base else f"removed {base}"),
            todo=f"write backbone={now}" if now != base else "choose another backbone",
        )
    if base in names or base in OWN_NAMES:
        if tag:
            _check_tag(name, base)
        return
    nearest = similar_names(base, list_backbones("*"), count=5)
    raise BackboneError(
        given=f"backbone={name} is not a model of timm",
        allowed=(f"nearest names: {', '.join(nearest)}" if nearest else "any timm model name"),
        todo="list them with `python -m src.backbones 'PATTERN'`, such as 'resnet*'; one of your "
        "own is named by a file backbones/NAME.yaml in your conf/ (docs/plugins.md)",
    )


def _check_tag(name: str, base: str) -> None:
    """Check a weights tag against timm's own list; this alone imports timm."""
    import timm

    tagged = timm.list_models(base, include_tags=True) if base not in OWN_NAMES else []
    if name not in tagged:
        with_tag = [entry for entry in tagged if "." in entry]
        raise BackboneError(
            given=f"backbone={name}: {base} has no weights of that tag",
            allowed=", ".join([base, *with_tag]),
        )
