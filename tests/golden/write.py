"""Record what the cases give now: `python -m tests.golden.write`, from the repository's root.

After a change that is meant to change results: first raise the version in
src/frostline/config/versions.py, with a line on what changed, then run this.
"""

import json
import tempfile
from pathlib import Path

from tests.golden.measured import RECORDED, everything

# Of a figure; more would only record how this CPU rounds.
DIGITS = 7


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        content = rounded(everything(Path(folder)))
    RECORDED.write_text(json.dumps(content, indent=1) + "\n")
    print(f"wrote {RECORDED}")


def rounded(value: object) -> object:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, list):
        return [rounded(each) for each in value]
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    return value


if __name__ == "__main__":
    main()
