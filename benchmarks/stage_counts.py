"""How many stages each backbone of timm has, so that a depth that it lacks is refused at once.

python -m benchmarks.stage_counts            # all of timm's; writes backbones/stage_counts.json
python -m benchmarks.stage_counts 'vit*'     # some; prints those that have another number than 5
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version

from frostline.backbones.build import outline
from frostline.backbones.names import OWN_NAMES, list_backbones
from frostline.backbones.stage_counts import FILE
from frostline.errors import FrostlineError


def main(arguments: Sequence[str] | None = None) -> None:
    """Count, and write or print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pattern", nargs="?", default="*")
    given = parser.parse_args(arguments)
    counts: dict[str, int] = {}
    for name in list_backbones(given.pattern):
        if name not in OWN_NAMES:
            counts[name] = _stages(name)
    (usual, _), *_ = Counter(counts.values()).most_common(1)
    others = {name: count for name, count in counts.items() if count != usual}
    if given.pattern != "*":
        print(json.dumps(others, indent=1))
        return
    text = json.dumps({"timm": version("timm"), "usual": usual, "others": others}, indent=1)
    FILE.write_text(text + "\n", encoding="utf-8")


def _stages(name: str) -> int:
    """Its stages; 0 where they cannot be counted here, so that nothing is refused."""
    try:
        return len(outline(name, None).stages)
    except (FrostlineError, RuntimeError, ValueError, TypeError, AssertionError) as error:
        print(f"{name}: {type(error).__name__}: {str(error).splitlines()[0][:90]}", file=sys.stderr)
        return 0


if __name__ == "__main__":
    main()
