"""What docs/evaluate.md shows is what the command prints for such figures, line for line."""

import re
from pathlib import Path

import pytest

from frostline.commands.evaluate import _lines
from frostline.inference.evaluation import Evaluation
from frostline.stats.rules import SCORES

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = [
    block.strip("\n")
    for block in re.findall(r"```\n(.*?)```", (ROOT / "docs/evaluate.md").read_text(), re.DOTALL)
    if re.search(r"now +logged", block)
]


def evaluation_of(block: str) -> Evaluation:
    """The evaluation that a block shows, its values in the order in which they are computed."""
    head, *rest = block.splitlines()
    match = re.fullmatch(r"(\S+) on (.*): (\d+) images of (\d+) groups", head)
    assert match is not None
    values = {words[0]: words for words in map(str.split, rest) if words[0] in {*SCORES, "loss"}}
    figures = {name: float(values[name][1]) for name in ("loss", *SCORES)}
    intervals = {name: (float(values[name][3]), float(values[name][5])) for name in SCORES}
    is_logged = values["loss"][2] != "-"
    return Evaluation(
        run=match[1],
        name="images",
        where=match[2],
        figures=figures,
        intervals=intervals,
        logged=figures if is_logged else {},
        n_images=int(match[3]),
        n_groups=int(match[4]),
        notes=tuple(line.strip() for line in rest if re.match(r"  \S", line)),
        folder=Path(),
    )


@pytest.mark.parametrize("block", BLOCKS, ids=["own test split", "other data"])
def test_the_shown_output_is_printed_so(block: str) -> None:
    assert "\n".join(_lines(evaluation_of(block))) == block


def test_two_blocks_are_shown() -> None:
    assert len(BLOCKS) == 2
