"""Classify images with a trained run.

python -m src.predict RUN photo.jpg more_photos/ "field/**/*.png"
python -m src.predict RUN photos/ --top 3 --out answers.csv    # or .json, .jsonl, .parquet
python -m src.predict best:SWEEP photos/ --json
python -m src.predict RUN photos/ --coverage 0.9    # sets that hold the truth in 90 % of cases
python -m src.predict RUN photos/ --tta flip        # mean over the image and its mirror image

RUN is a run id or its beginning, a run's name, best:SWEEP, or the path of a checkpoint. A file that
cannot be read is a row with its error. --coverage also calibrates the probabilities and warns of
pictures unlike the training images: see docs/trust.md.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from frostline.commands.arguments import (
    add_run,
    add_store,
    add_threads,
    command_parser,
    count,
    reported_errors,
    run_given,
    say,
)
from frostline.data.views import TTA, n_views_of

if TYPE_CHECKING:
    from frostline.inference.answer import Answer
    from frostline.inference.predictor import Predictor
    from frostline.inference.rebuild import Rebuilt
    from frostline.inference.trust.trust import Trust

PRECISIONS = {"auto": "auto", "float32": "32-true", "bfloat16": "bf16-mixed"}
_PRECISION_NAMES = {value: name for name, value in PRECISIONS.items()}
_NO_IMAGE_READ_EXIT_CODE = 1
# Classes that the last line counts.
_MAX_NAMED = 5


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    given = _parser().parse_args(arguments)
    with reported_errors():
        exit_code = _run(given)
    if exit_code:
        sys.exit(exit_code)


def _run(given: argparse.Namespace) -> int:
    from frostline.data.augmentations import check_augment
    from frostline.data.channels import takes_arrays
    from frostline.inference.answer_files import (
        as_dict,
        check_format,
        print_as_utf8,
        write_answers,
        write_csv,
        write_json,
    )
    from frostline.inference.image_files import find_images

    # Errors of the command line are found before anything heavy is loaded.
    find_images(given.images, arrays=True)
    if given.out is not None:
        check_format(given.out)
    sets = given.coverage is not None
    if sets:
        from frostline.inference.trust.coverage import check_coverage

        check_coverage(given.coverage)
    rebuilt = run_given(given)
    if given.tta is not None:
        check_augment(given.tta, rebuilt.backbone.input)
    found = find_images(given.images, arrays=takes_arrays(rebuilt.geometry.in_chans))
    paths = found.files
    for note in found.notes():
        say(note)

    from frostline.data.progress_bar import show_progress
    from frostline.inference.predictor import Predictor
    from frostline.inference.run_engine import engine_here

    predictor = Predictor(
        rebuilt.network,
        rebuilt.preprocess,
        rebuilt.geometry,
        engine_here(rebuilt).accelerator,
        # Sets are judged as the validation images were.
        "32-true" if sets and given.precision == "auto" else PRECISIONS[given.precision],
        rebuilt.value_range,
        n_views=n_views_of(given.tta),
    )
    if sets:
        predictor.trust = _trust(given, rebuilt, predictor)
    top = min(given.top, len(rebuilt.classes))
    counter = _Counter()
    # Rows that scroll by on the terminal are progress enough, and a bar would stand among them.
    rows_scroll = given.out is None and sys.stdout.isatty()
    with nullcontext(_ignore) if rows_scroll else show_progress("images", len(paths)) as advance:
        answers = counter.counted(
            predictor.answers(paths, top=top, batch_size=given.batch_size, advance=advance)
        )
        if given.out is not None:
            write_answers(answers, rebuilt.classes, top, given.out, sets=sets)
        elif given.json:
            print_as_utf8("backslashreplace")
            rows = (as_dict(answer, rebuilt.classes, sets=sets) for answer in answers)
            write_json(rows, sys.stdout, lines=False)
        else:
            print_as_utf8("surrogateescape")
            write_csv(answers, rebuilt.classes, top, sys.stdout, sets=sets)
    images = "image" if len(paths) == 1 else "images"
    unread = f", {counter.unread} of them could not be read" if counter.unread else ""
    precision = _PRECISION_NAMES.get(predictor.precision, predictor.precision)
    classes = counter.text(rebuilt.classes)
    print(
        f"{rebuilt.name}: {len(paths):,} {images}{unread}, {precision} on "
        f"{predictor.accelerator}"
        + (f", --tta {given.tta}" if given.tta else "")
        + (f"; {classes}" if classes else "")
        + (f": {given.out}" if given.out else ""),
        file=sys.stderr,
    )
    return _NO_IMAGE_READ_EXIT_CODE if counter.unread == len(paths) else 0


def _trust(given: argparse.Namespace, rebuilt: "Rebuilt", predictor: "Predictor") -> "Trust":
    """Make the rules of sets, calibrated probabilities and warnings, and say what they are."""
    from frostline.inference.trust.trust import recorded_predictions, trust_of
    from frostline.inference.trust.unlike import unlike_training
    from frostline.tracking.store import open_store

    store = None
    if rebuilt.record is not None:
        store = open_store(given.uri, "Default", make=False)
    if given.tta is None:
        predictions = recorded_predictions(rebuilt, store, given.run)
    else:
        # Sets of what was averaged are judged by what was averaged.
        from frostline.inference.test_time import own_predictions

        say(f"predictions of its validation and test images with --tta {given.tta}, to judge by")
        predictions = {
            split: mean for split, (_, mean) in own_predictions(rebuilt, given.tta).items()
        }
    # What cannot be said is said before the images are read.
    trust_of(predictions, given.coverage, "")
    trust = trust_of(
        predictions, given.coverage, unlike_training(rebuilt, predictor.features, advance=say)
    )
    for line in trust.lines():
        say(line)
    return trust


def _ignore(_steps: int) -> None:
    pass


class _Counter:
    """Counts files by class, and those that could not be read, while their rows pass through."""

    def __init__(self) -> None:
        self.unread = 0
        self.by_class: Counter[int] = Counter()

    def counted(self, answers: "Iterator[Answer]") -> "Iterator[Answer]":
        for answer in answers:
            if answer.error:
                self.unread += 1
            else:
                self.by_class[answer.top[0]] += 1
            yield answer

    def text(self, classes: Sequence[str]) -> str:
        """How many of which class, the most frequent first."""
        counts = self.by_class.most_common()
        named = [f"{classes[place]} {count:,}" for place, count in counts[:_MAX_NAMED]]
        more = len(counts) - _MAX_NAMED
        return ", ".join(named) + (f" and {more} more classes" if more > 0 else "")


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("src.predict", __doc__)
    add_run(parser)
    parser.add_argument("images", metavar="IMAGES", nargs="+", help="files, folders, globs")
    parser.add_argument("--top", type=count, default=5, help="classes listed; default: 5")
    parser.add_argument(
        "--coverage", metavar="SHARE", type=float, help="sets that hold the truth in this share"
    )
    parser.add_argument("--tta", choices=TTA, help="mean of the probabilities over views")
    parser.add_argument("--out", metavar="FILE", type=Path, help=".csv, .json, .jsonl or .parquet")
    parser.add_argument("--json", action="store_true", help="print JSON instead of CSV")
    parser.add_argument("--batch-size", type=count, default=64, help="default: 64")
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="auto",
        help="auto (default): bfloat16 for many images, if it is faster and the classes agree",
    )
    add_threads(parser)
    add_store(parser)
    return parser
