"""Advise what to freeze for a data set: size, similarity, a strategy, and a sweep to run.

python -m src.advise data.path=photos
python -m src.advise data.path=photos backbone=tf_efficientnet_lite0,tf_efficientnet_lite1
python -m src.advise data=csv data.path=labels.csv --json
python -m src.advise data.path=photos --more        # the score with 2x and 4x the images

Only the training images are used, as with strategy=auto. All keys of `data`, and backbone,
weights, image_size and seed are as for src.train.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from frostline.commands.arguments import command_parser, reported_errors
from frostline.errors import FrostlineError

if TYPE_CHECKING:
    from frostline.config.schema import Settings


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    given = _parser().parse_intermixed_args(arguments)  # settings may stand around switches
    with reported_errors():
        _run(given)


def _run(given: argparse.Namespace) -> None:
    from frostline.advice.request import read_request

    _check_out(given.out)
    if given.more and given.out is not None:
        raise FrostlineError("--more writes no page", todo="leave --out out; --json prints it all")
    jobs = read_request(given.overrides)

    def on_progress(text: str) -> None:
        print(f"{text} ...", file=sys.stderr, flush=True)

    on_progress("loading PyTorch and timm")
    if given.more:
        _more(jobs, on_progress, as_json=given.json)
        return
    from frostline.advice.advice import advise

    advice = advise(jobs, given.overrides, on_progress=on_progress)
    if given.json:
        print(json.dumps(advice.plain(), indent=2))
    else:
        from frostline.advice.advice_text import advice_lines

        print("\n".join(advice_lines(advice)))
    if given.out is not None:
        from frostline.advice.advice_page import advice_page

        given.out.write_text(advice_page(advice), encoding="utf-8")
        print(f"page: {given.out}", file=sys.stderr)


def _more(jobs: Sequence["Settings"], on_progress: Callable[[str], None], *, as_json: bool) -> None:
    """Print what more images would bring, by the features of each backbone."""
    from frostline.advice.growth.grow import grow

    name, grown = grow(jobs, on_progress=on_progress)
    if as_json:
        print(json.dumps({"data": name, "growth": [one.plain() for one in grown]}, indent=2))
        return
    from frostline.advice.growth.growth_text import growth_lines

    print("\n".join(growth_lines(name, grown)))


def _check_out(out: Path | None) -> None:
    """Refuse a path that cannot be written before anything is measured.

    Raises:
        FrostlineError: If its folder does not exist, or it is a folder itself.
    """
    if out is not None and (out.is_dir() or not out.absolute().parent.is_dir()):
        raise FrostlineError(
            f"--out {out}: {'it is a folder' if out.is_dir() else 'its folder does not exist'}",
            "a file, such as advice.html",
        )


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("src.advise", __doc__)
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="such as data.path=DIR")
    parser.add_argument("--more", action="store_true", help="what more images would bring")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--out", type=Path, metavar="FILE.html", help="also write a page")
    return parser
