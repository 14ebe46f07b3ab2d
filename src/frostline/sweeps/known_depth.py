"""How many stages a backbone has, counted beforehand, so that `freeze=9` is answered at once.

Counting them needs timm, whose import takes seconds. For one version of timm the package has the
numbers; others are kept from earlier checks. Own backbones are counted each time, as their code may
have changed.
"""

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path

from frostline import backbones
from frostline.backbones.stage_counts import counted_stages
from frostline.config.freeze_value import MIDDLE, listed_stages
from frostline.config.schema import Settings
from frostline.data.cache import cache_folder, keep_sealed, kept_text
from frostline.errors import BackboneError
from frostline.plugins.own_backbones import own_backbones


@cache
def code_of_backbones() -> list[tuple[str, int, int]]:
    """The files that find stages and weights, as they are in a checkout where somebody works."""
    files = sorted(Path(backbones.__path__[0]).rglob("*.py"))
    return [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]


def remember_stages(counted: Iterable[tuple[str, int]]) -> None:
    """Keep how many stages backbones have.

    Args:
        counted: Names with their number of stages.
    """
    own = own_backbones()
    for name, num_stages in dict(counted).items():
        if name not in own:
            keep_sealed(_place(name), json.dumps(num_stages), what="what is known of a backbone")


def check_known_depth(settings: Settings) -> None:
    """Check stages named by number, if those of the backbone have been counted before.

    Raises:
        BackboneError: If it has fewer.
    """
    freeze, name = settings.freeze, settings.backbone
    text = str(freeze).strip()
    listed = listed_stages(freeze)
    if name in own_backbones() or not (text.lstrip("-").isdigit() or listed or text == MIDDLE):
        return
    num_stages = counted_stages(name) or _recalled(name)
    if num_stages is None:
        return
    allowed = f"0 to {num_stages}, all, or a module path; -1 to -{num_stages} count from the end"
    if listed:
        fits = listed[-1] <= num_stages
        allowed = f"a list of stages from 1 to {num_stages}"
    elif text == MIDDLE:
        fits = num_stages > 2
    else:
        fits = -num_stages <= int(text) <= num_stages
    if fits:
        return
    raise BackboneError(
        given=f"freeze={text}: {name} has {num_stages} stages",
        allowed=allowed,
        todo=f"see them with  python -m src.backbones {name}",
    )


def _recalled(name: str) -> int | None:
    try:
        value = json.loads(kept_text(_place(name)) or "null")
    except (OSError, ValueError):
        return None
    return value if isinstance(value, int) else None


def _place(name: str) -> Path:
    asked = json.dumps([name, version("timm"), version("torch"), code_of_backbones()])
    return cache_folder("backbones") / f"stages-{hashlib.sha256(asked.encode()).hexdigest()[:32]}"
