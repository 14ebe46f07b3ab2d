"""Reference points of the similarity axis: data sets that were measured with known backbones."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from frostline.advice.quadrants import Reference

# Written by `python -m experiments.tools.references`.
FILE = Path(__file__).with_name("references.json")
FALLBACK_BACKBONE = "tf_efficientnet_lite0"


def references_for(backbone: str, weights_digest: str) -> tuple[tuple[Reference, ...], str]:
    """Return the reference points for a backbone.

    Args:
        backbone: Its name.
        weights_digest: Digest of its weights.

    Returns:
        The references, and a caveat: empty if they were measured with these very weights.
    """
    backbones = _file_content()["backbones"]
    name = next((k for k, v in backbones.items() if v["weights_digest"] == weights_digest), None)
    caveat = ""
    if name is None:
        name = FALLBACK_BACKBONE
        caveat = (
            f"the reference points were measured with {name} and its own weights, not with "
            f"{backbone}: the confidences of two backbones are not on one scale, so read the "
            "position on the axis as a guess"
        )
    return tuple(Reference(**entry) for entry in backbones[name]["sets"]), caveat


@cache
def _file_content() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return content
