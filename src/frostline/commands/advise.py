"""Advise what to freeze for a data set: size, similarity, a strategy, and a sweep to run.

python -m src.advise photos                         # the same as data.path=photos
python -m src.advise photos backbone=tf_efficientnet_lite0,tf_efficientnet_lite1
python -m src.advise data=csv data.path=labels.csv --json
python -m src.advise photos --more                  # the score with 2x and 4x the images
python -m src.advise photos --quick                 # backbones and depths, in five minutes

Only the training images are used, as with strategy=auto. All keys of `data`, and backbone,
weights, image_size and seed are as for src.train.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from frostline.commands.arguments import command_parser, reported_errors
from frostline.commands.page_file import write_page
from frostline.errors import FrostlineError

MINUTES = 5.0  # of --quick

if TYPE_CHECKING:
    from frostline.config.schema import Settings


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    given = _parser().parse_intermixed_args(arguments)  # settings may stand around switches
    with reported_errors():
        _run(given)


def _run(given: argparse.Namespace) -> None:
    from frostline.advice.request import read_request, with_path

    begun_s = time.time()
    _check_out(given.out)
    if given.more and given.quick:
        raise FrostlineError("--more and --quick are two questions", todo="give one of them")

    def on_progress(text: str) -> None:
        print(f"{text} ...", file=sys.stderr, flush=True)

    overrides = with_path(given.overrides)
    if given.quick:
        _quick(overrides, given, on_progress, begun_s)
        return
    jobs = read_request(overrides)
    on_progress("loading PyTorch and timm")
    if given.more:
        _more(jobs, given, on_progress)
        return
    from frostline.advice.advice import advise

    advice = advise(jobs, overrides, on_progress=on_progress)
    if given.json:
        print(json.dumps(advice.plain(), indent=2))
    else:
        from frostline.advice.advice_text import advice_lines

        print("\n".join(advice_lines(advice)))
    if given.out is not None:
        from frostline.advice.advice_page import advice_page

        write_page(given.out, advice_page(advice))
        print(f"page: {given.out}", file=sys.stderr)


def _more(
    jobs: Sequence["Settings"], given: argparse.Namespace, on_progress: Callable[[str], None]
) -> None:
    """Print what more images would bring, by the features of each backbone."""
    from frostline.advice.growth.grow import grow

    found = grow(jobs, on_progress=on_progress)
    if given.json:
        print(json.dumps(found.plain(), indent=2))
    else:
        from frostline.advice.growth.growth_text import growth_lines

        print("\n".join(growth_lines(found.data, found.grown)))
    if given.out is not None:
        from frostline.advice.growth.growth_page import growth_page

        write_page(given.out, growth_page(found))
        print(f"page: {given.out}", file=sys.stderr)


def _quick(
    overrides: Sequence[str],
    given: argparse.Namespace,
    on_progress: Callable[[str], None],
    begun_s: float,
) -> None:
    """Print which backbone and depth look best, after a first table the whole one."""
    from frostline.advice.request import read_request

    on_progress("loading PyTorch and timm")
    jobs = read_request(overrides)  # mistakes are answered before weights are looked for
    from frostline.advice.quick.at_hand import backbones_at_hand, check_at_hand, fetch_text
    from frostline.advice.quick.quick import quick_answer
    from frostline.advice.quick.quick_text import answer_lines, table_lines
    from frostline.errors import WeightsError

    named = any(word.startswith("backbone=") for word in overrides)
    if not named and jobs[0].weights == "pretrained":
        names = backbones_at_hand()
        if not names:
            raise WeightsError(
                "no pretrained weights are on this machine, and a quick answer downloads nothing",
                todo=fetch_text(),
            )
        jobs = read_request([*overrides, f"backbone={','.join(names)}"])
    check_at_hand(jobs)
    answer = quick_answer(
        jobs,
        overrides,
        minutes=given.minutes,
        on_progress=on_progress,
        on_answer=lambda known: print("\n".join(table_lines(known)), file=sys.stderr, flush=True),
        begun_s=begun_s,
    )
    if given.json:
        print(json.dumps(answer.plain(), indent=2))
    else:
        print("\n".join(answer_lines(answer)))
    if given.out is not None:
        from frostline.advice.quick.quick_page import quick_page

        write_page(given.out, quick_page(answer))
        print(f"page: {given.out}", file=sys.stderr)


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


def _minutes(text: str) -> float:
    """A number of minutes above 0.

    Raises:
        argparse.ArgumentTypeError: If it is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text}: minutes, such as 5")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("src.advise", __doc__)
    parser.add_argument("overrides", nargs="*", metavar="PATH|KEY=VALUE", help="such as photos")
    parser.add_argument("--more", action="store_true", help="what more images would bring")
    parser.add_argument(
        "--quick", action="store_true", help="look at every backbone and depth for a few minutes"
    )
    parser.add_argument(
        "--minutes", type=_minutes, default=MINUTES, metavar="N", help=f"of --quick ({MINUTES:g})"
    )
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--out", type=Path, metavar="FILE.html", help="also write a page")
    return parser
