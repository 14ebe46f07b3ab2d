"""Evaluate a trained run again: on its own splits, or on another data set with its classes.

python -m src.evaluate RUN                         # its test split: as logged
python -m src.evaluate RUN --split val
python -m src.evaluate RUN --data field_photos     # another data set, all of its images
python -m src.evaluate RUN --data background=field # its own data with other settings
python -m src.evaluate best:SWEEP --cost           # also: parameters, FLOPs, latency, memory
python -m src.evaluate RUN --tta flip              # mean over the image and its mirror image
python -m src.evaluate best:SWEEP --ensemble       # its runs together; --soup: their weights

RUN is a run id or its beginning, a run's name, best:SWEEP, or the path of a checkpoint. The result
is logged on the run, with evidence: confusion, calibration, the worst errors, attributions.
"""

import argparse
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from frostline.commands.arguments import (
    add_run,
    add_store,
    add_threads,
    command_parser,
    reported_errors,
    run_given,
    say,
)
from frostline.data.views import TTA
from frostline.errors import ConfigError
from frostline.files import file_name

if TYPE_CHECKING:
    from frostline.inference.evaluation import Evaluation
    from frostline.inference.test_time import TtaResult
    from frostline.tracking.reader import Reader
    from frostline.tracking.records import RunRecord

SPLITS = ("train", "val", "test", "all")
LEVELS = ("full", "light", "off")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    given = _parser().parse_args(arguments)
    with reported_errors():
        _run(given)


def _run(given: argparse.Namespace) -> None:
    if given.ensemble or given.soup:
        from frostline.commands.combine import combine

        combine(given)
        return
    class_names = dict(_pair(text) for text in given.map)
    if class_names and not given.data:
        raise ConfigError("--map is for another data set", todo="give it with --data")

    def check(store: "Reader", record: "RunRecord") -> None:
        from frostline.inference.class_map import check_names
        from frostline.tracking.run_contents import StoreSource

        classes = StoreSource(store).classes(record.run_id) if class_names else None
        if classes is not None:
            check_names(class_names.values(), classes, "the run's")

    rebuilt = run_given(given, check)
    from frostline.inference.evaluation import evaluate_run, log_on_run
    from frostline.tracking.store import open_store

    store = open_store(given.uri, "Default") if rebuilt.record is not None else None
    out = given.out or Path("outputs") / "evaluations" / file_name(rebuilt.name)
    done = evaluate_run(
        rebuilt,
        out,
        store=store,
        split=given.split,
        data=given.data,
        class_names=class_names,
        evidence=given.evidence,
        cost=given.cost,
        tta=given.tta,
        on_progress=say,
    )
    logged = False
    if store is not None and rebuilt.record is not None and not given.no_log:
        log_on_run(store, rebuilt.record, done)
        logged = True
    if given.json:
        print(json.dumps(done.as_dict(), indent=2, ensure_ascii=False))
        return
    print("\n".join(_lines(done)))
    print(f"\nfiles: {done.folder}" + ("  (also in MLflow, on the run)" if logged else ""))


def _lines(done: "Evaluation") -> Iterator[str]:
    """Yield figures with their logged values and intervals, then the cost, line by line."""
    yield f"{done.run} on {done.where}: {done.n_images} images of {done.n_groups} groups"
    yield from (f"  {note}" for note in done.notes)
    if done.tta is not None:
        yield from _beside(done, done.tta)
        yield from _caution(done)
        yield from _costs(done)
        return
    has_logged = bool(done.logged)
    yield f"{'':12}{'now':>12}{'logged':>12}{'':4}95 % interval"
    # In the order of the intervals, macro first; the loss has no interval and comes last.
    for name in sorted(done.figures, key=[*done.intervals, *done.figures].index):
        value = done.figures[name]
        if math.isnan(value):
            yield f"{name:12}{'':12}{'':12}{'':4}needs images of several classes"
            continue
        logged = f"{done.logged[name]:>12.6f}" if has_logged else f"{'-':>12}"
        low, high = done.intervals.get(name, (float("nan"), float("nan")))
        interval = f"{low:.4f} .. {high:.4f}" if name in done.intervals else ""
        yield f"{name:12}{value:>12.6f}{logged}{'':4}{interval}".rstrip()
    yield from _against_logged(done)
    yield from _caution(done)
    yield from _costs(done)


def _caution(done: "Evaluation") -> Iterator[str]:
    if done.caution:
        yield f"caution: {done.caution}"


def _beside(done: "Evaluation", tta: "TtaResult") -> Iterator[str]:
    """Yield the figures of the image alone and with its views, and how far they are apart."""
    yield f"{'':12}{'plain':>12}{'--tta ' + tta.name:>16}{'':4}difference, 95 % interval"
    for name in sorted(done.figures, key=[*done.intervals, *done.figures].index):
        plain, value = tta.plain[name], done.figures[name]
        if math.isnan(value):
            yield f"{name:12}{'':12}{'':16}{'':4}needs images of several classes"
            continue
        found = tta.differences.get(name)
        apart = f"{found} {found.verdict}" if found else ""
        yield f"{name:12}{plain:>12.6f}{value:>16.6f}{'':4}{apart}".rstrip()
    yield from _against_logged(done, "the plain figures: ")
    if tta.on_validation:
        yield "on its validation split, which is to decide whether it is used:"
        yield from (
            f"{name:12}{'':32}{one} {one.verdict}" for name, one in tta.on_validation.items()
        )


def _against_logged(done: "Evaluation", which: str = "") -> Iterator[str]:
    if done.logged:
        yield which + (
            "the same as logged, to the last digit"
            if done.largest_difference == 0
            else f"differs from the logged figures by at most {done.largest_difference:.2g}"
        )


def _costs(done: "Evaluation") -> Iterator[str]:
    for name, value in done.cost.items():
        yield f"{name:34}{value:,.4g}" if abs(value) < 10_000 else f"{name:34}{value:,.0f}"


def _pair(text: str) -> tuple[str, str]:
    theirs, sign, ours = text.partition("=")
    if not (theirs and sign and ours):
        raise ConfigError(f"--map {text}", '--map "their name=the run\'s name"')
    return theirs, ours


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("src.evaluate", __doc__)
    add_run(parser, default="best:latest")
    parser.add_argument("--split", choices=SPLITS, help="default: test, of other data all images")
    parser.add_argument(
        "--data", metavar="DIR", nargs="+", default=[], help="another data set: DIR [KEY=VALUE ...]"
    )
    parser.add_argument(
        "--map",
        metavar="THEIRS=OURS",
        action="append",
        default=[],
        help="two names of one class",
    )
    parser.add_argument("--tta", choices=TTA, help="mean of the probabilities over views")
    together = parser.add_mutually_exclusive_group()
    together.add_argument(
        "--ensemble", action="store_true", help="mean answers of a sweep's runs, RUN is best:SWEEP"
    )
    together.add_argument(
        "--soup", action="store_true", help="mean weights of a sweep's runs of one backbone"
    )
    parser.add_argument("--evidence", choices=LEVELS, default="full", help="default: full")
    parser.add_argument("--cost", action="store_true", help="measure latency, throughput, memory")
    parser.add_argument("--out", metavar="DIR", type=Path, help="default: outputs/evaluations/NAME")
    parser.add_argument("--no-log", action="store_true", help="log nothing on the run")
    add_threads(parser)
    add_store(parser)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser
