"""The weights that a backbone's bare name stands for, read without importing timm.

`resnet50` and `resnet50.a1_in1k` are one model with one file of weights: one cell, not two.
"""

import importlib.util
import re
from functools import cache
from pathlib import Path

_ENTRY = re.compile(
    r"""^\s+['"](\w+)\.(\w+\*?)['"]\s*:(.*?)(?=^\s+['"][\w.]+\*?['"]\s*:|^\}\))""",
    re.MULTILINE | re.DOTALL,
)
_HAS_WEIGHTS = re.compile(r"""hf_hub_id\s*=\s*['"]|url\s*=\s*\(?\s*['"]h""")


@cache
def default_tag(model: str) -> str:
    """The tag of the weights that timm takes for a name without one; empty if none is plain.

    Args:
        model: A name without tag.

    Source: `timm.models._registry.generate_default_cfgs`: the tag with an asterisk, or else the
    first that has weights.
    """
    first = ""
    for text in _files():
        if f"'{model}." not in text and f'"{model}.' not in text:
            continue
        for name, tag, record in _ENTRY.findall(text):
            if name != model:
                continue
            if tag.endswith("*"):
                return str(tag[:-1])
            if not first and _HAS_WEIGHTS.search(record):
                first = tag
    return first


@cache
def _files() -> tuple[str, ...]:
    """The texts of timm's files of models; without timm there are none."""
    spec = importlib.util.find_spec("timm")
    if spec is None or not spec.submodule_search_locations:
        return ()
    folder = Path(spec.submodule_search_locations[0]) / "models"
    return tuple(file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.py")))
