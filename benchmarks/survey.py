"""The broad run: the contract of every backbone over timm's families, and the table of it.

python -m benchmarks.survey            # all architectures; writes docs/backbones.md
python -m benchmarks.survey resnet18   # some; prints their rows
"""

import argparse
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import timm

from frostline.backbones.backbone import Backbone
from frostline.backbones.build import build_backbone
from frostline.backbones.split.stage_cuts import stage_cut_finder
from frostline.errors import BackboneError
from tests.contracts.architectures import ARCHITECTURES
from tests.contracts.backbone_contract import (
    BrokenContractError,
    Outcome,
    check_depth,
    check_partition,
)

PAGE = Path("docs/backbones.md")
_SIZES_PX = (64, 96, 128, None)
_HEADING = "| family | backbone | px | parameters | stages | exact cut | why not |"
_INTRO = """\
# Backbones: stages and cuts

Made by `python -m benchmarks.survey`; do not edit by hand.

Architectures from timm's families, at a small image size, with random weights. Each is divided
into stages; at *every* depth it is cut, the two parts are compared with the model bit by bit (in
eval mode, and in train mode with dropout, drop path and batch normalisation at work), two
optimiser steps are taken, and what is frozen must be bit-identical after them. `exact cut` counts
the boundaries between stages (depths 0, S and `all` need none). Where there is no exact cut,
freezing works all the same and only the reuse of frozen prefixes is off. How a cut is found and
verified: [the page of its package](../src/frostline/backbones/split/__init__.py).
"""


@dataclass(frozen=True)
class Row:
    """The result for one architecture.

    Attributes:
        family: timm's module.
        name: The backbone.
        size_px: Side of the images.
        params: Its parameters.
        stages: Number of stages; 0 if it could not be divided.
        cuts: Boundaries with an exact cut.
        reason: Why not all, or why it could not be divided.
        wrong: A promise that was broken; empty if none.
    """

    family: str
    name: str
    size_px: int
    params: int
    stages: int
    cuts: int
    reason: str
    wrong: str = ""

    @property
    def cut_everywhere(self) -> bool:
        """Whether there is an exact cut at every depth."""
        return self.stages > 0 and self.cuts == self.stages - 1


def family_of(name: str) -> str:
    """Return the module of timm that a backbone is in."""
    modules = timm.list_modules()
    return next((module for module in modules if name in timm.list_models(module=module)), "")


def build_small(name: str) -> Backbone:
    """Build a backbone with random weights for the smallest usual size that it takes.

    Raises:
        BackboneError: It takes none of them, or cannot be divided.
    """
    problem: BackboneError | None = None
    for size in _SIZES_PX:
        try:
            return build_backbone(name, weights="random", image_size=size, seed=0)
        except BackboneError as error:
            problem = error
    raise problem or BackboneError(given=f"backbone={name} takes no size")


def survey_one(name: str) -> Row:
    """Check one architecture at every depth."""
    family = family_of(name)
    try:
        backbone = build_small(name)
    except BackboneError as error:
        return Row(family, name, 0, 0, 0, 0, error.given.splitlines()[0])
    count = len(backbone.stages)
    outcomes: list[Outcome] = []
    wrong = ""
    try:
        check_partition(backbone)
        finder = stage_cut_finder(backbone, pool="avg")
        for freeze in [*range(1, count), "all"]:
            outcomes.append(check_depth(backbone, freeze, finder=finder))
    except BrokenContractError as error:
        wrong = f"freeze={len(outcomes) + 1}: {error}"
    except RuntimeError as error:
        wrong = f"freeze={len(outcomes) + 1}: cannot be trained ({str(error).splitlines()[0]})"
    inner = outcomes[: count - 1]
    reasons = dict.fromkeys(outcome.reason for outcome in inner if not outcome.exact)
    return Row(
        family=family,
        name=name,
        size_px=backbone.input.size_px,
        params=backbone.total_params,
        stages=count,
        cuts=sum(outcome.exact for outcome in inner),
        reason="; ".join(reasons),
        wrong=wrong,
    )


def figures(rows: Sequence[Row]) -> str:
    """Return in a few lines what share of the rows keeps the promises."""
    divided = sum(row.stages > 0 for row in rows)
    cut = sum(row.cut_everywhere for row in rows)
    wrong = sum(bool(row.wrong) for row in rows)
    families = {row.family for row in rows}
    absent = sorted(set(timm.list_modules()) - families)
    return (
        f"- architectures: {len(rows)}, from {len(families - {''})} families\n"
        f"- stage scale: {divided} of {len(rows)} ({divided / len(rows):.1%})\n"
        f"- exact cut at every depth: {cut} of {len(rows)} ({cut / len(rows):.1%})\n"
        f"- broken promises: {wrong}\n"
        f"- families left out, their smallest member being too slow for a broad run: "
        f"{', '.join(absent)}\n"
    )


def row_text(row: Row) -> str:
    """Return one line of the table."""
    boundaries = max(0, row.stages - 1)
    cut = "yes" if row.cut_everywhere else f"{row.cuts} of {boundaries}"
    why = " ".join(filter(None, [row.wrong and f"**{row.wrong}**", row.reason]))
    return (
        f"| {row.family} | {row.name} | {row.size_px} | {row.params:,} | {row.stages} "
        f"| {cut} | {why} |"
    )


def page(rows: Sequence[Row]) -> str:
    """Return the page with the figures and the table."""
    lines = [_HEADING, "|---|---|---:|---:|---:|---|---|", *map(row_text, rows)]
    return f"{_INTRO}\n{figures(rows)}\n" + "\n".join(lines) + "\n"


def _survey(names: Iterable[str]) -> list[Row]:
    rows = []
    for name in names:
        began = time.monotonic()
        rows.append(survey_one(name))
        print(f"{time.monotonic() - began:5.1f} s  {row_text(rows[-1])}", flush=True)
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.survey", description=__doc__)
    parser.add_argument("names", nargs="*", help="some backbones instead of all")
    given = parser.parse_args(arguments)
    rows = _survey(given.names or ARCHITECTURES)
    print(figures(rows))
    if not given.names:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page(rows), encoding="utf-8")
    return int(any(row.wrong for row in rows))


if __name__ == "__main__":
    sys.exit(main())
