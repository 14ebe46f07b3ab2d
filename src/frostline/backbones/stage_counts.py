"""How many stages timm's backbones have, counted beforehand for one version of timm.

Counting them needs timm, whose import takes seconds; a mistyped depth is to be refused at once.
`python -m benchmarks.stage_counts` writes the file.
"""

import json
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from frostline.backbones.names import OWN_NAMES, list_backbones, split_tag
from frostline.plugins.own_backbones import own_backbones

FILE = Path(__file__).with_name("stage_counts.json")


def counted_stages(name: str) -> int | None:
    """The stages of a backbone; None where they are to be counted: another timm, or not timm's.

    Args:
        name: With or without the tag of its weights.
    """
    counted = _counted()
    base, _ = split_tag(name)
    if counted["timm"] != version("timm") or base in {*OWN_NAMES, *own_backbones()}:
        return None
    if base not in list_backbones(base):
        return None
    return int(counted["others"].get(base, counted["usual"])) or None


@cache
def _counted() -> dict[str, Any]:
    return dict(json.loads(FILE.read_text(encoding="utf-8")))
