"""Compare finished runs: one HTML page that says which to take, and how sure that is.

python -m src.report                        # the newest sweep
python -m src.report --sweep ID             # or its first characters
python -m src.report --experiment leaves    # all runs of an MLflow experiment
python -m src.report --runs ID ID ...       # these runs
"""

import argparse
import shutil
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from frostline.commands.arguments import add_store, command_parser, reported_errors
from frostline.files import file_name
from frostline.invocation import is_command
from frostline.stats.rules import DEFAULT_RULES, SCORES, Rules

# Columns that are still easy to read.
_WIDEST = 100

if TYPE_CHECKING:
    from frostline.reporting.report_folder import Report
    from frostline.reporting.write_report import ReportRuns
    from frostline.tracking.store import Store


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    given = _parser().parse_args(arguments)
    with reported_errors():
        _run(given)


def _run(given: argparse.Namespace) -> None:
    from frostline.reporting.report_folder import VERDICT
    from frostline.reporting.write_report import log_report, write_report
    from frostline.tracking.store import open_store

    store = open_store(given.uri, "Default", make=False)
    runs = _runs(store, given)
    out = given.out or Path("outputs") / "reports" / file_name(runs.name)
    rules = Rules(
        given.score,
        given.level,
        given.equivalence / 100,
        given.max_tested,
        given.tolerance / 100,
    )
    report = write_report(store, runs, out, rules)
    logged = log_report(store, runs, report)
    if runs.sweep is not None and not logged:
        print("the sweep has not ended: the page is not logged in MLflow", file=sys.stderr)
    if given.json:
        print((report.folder / VERDICT).read_text(encoding="utf-8"), end="")
    else:
        _print(report, logged=logged)


def _runs(store: "Store", given: argparse.Namespace) -> "ReportRuns":
    from frostline.reporting.write_report import runs_by_id, runs_of_experiment, runs_of_sweep

    if given.runs:
        return runs_by_id(store, given.runs)
    if given.experiment:
        return runs_of_experiment(store, given.experiment)
    return runs_of_sweep(store, given.sweep)


def _print(report: "Report", *, logged: bool) -> None:
    print(_wrapped(report.conclusion.headline))
    for heading, text in report.conclusion.paragraphs:
        print(f"\n{heading}")
        print("\n".join(_wrapped(line, "  ") for line in text.splitlines()))
    print(f"\npage: {report.page}" + ("  (also in MLflow, on the sweep's run)" if logged else ""))


def _wrapped(line: str, indent: str = "") -> str:
    """A line as long as a terminal shows it; as it is in a file, and where it is to be typed."""
    if is_command(line) or not sys.stdout.isatty():
        return indent + line
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    wrapped = textwrap.wrap(line, width - len(indent), break_long_words=False)
    return "\n".join(indent + part for part in wrapped)


def _parser() -> argparse.ArgumentParser:
    default = DEFAULT_RULES
    points, tolerance = 100 * default.equivalence, 100 * default.tolerance
    parser = command_parser("src.report", __doc__)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--sweep", metavar="ID", default="", help="a sweep, by its id or its run's")
    which.add_argument("--experiment", metavar="NAME", help="all runs of an MLflow experiment")
    which.add_argument("--runs", metavar="ID", nargs="+", help="these runs")
    parser.add_argument("--out", metavar="DIR", type=Path, help="default: outputs/reports/NAME")
    add_store(parser)
    parser.add_argument("--json", action="store_true", help="print the verdict as JSON")
    parser.add_argument(
        "--score", choices=SCORES, default=default.score, help=f"default: {default.score}"
    )
    parser.add_argument(
        "--level", type=_level, default=default.level, help=f"confidence; default: {default.level}"
    )
    parser.add_argument(
        "--equivalence",
        metavar="POINTS",
        type=float,
        default=points,
        help=f"differences up to this do not matter; default: {points:g}",
    )
    parser.add_argument(
        "--tolerance",
        metavar="POINTS",
        type=_tolerance,
        default=tolerance,
        help="a cheaper configuration may have an expected loss this much above the smallest one; "
        f"default: {tolerance:g}",
    )
    parser.add_argument(
        "--max-tested",
        metavar="N",
        type=int,
        default=default.max_tested,
        help=f"test the N best configurations against the top; default: {default.max_tested}",
    )
    return parser


def _level(text: str) -> float:
    value = float(text)
    if not 0.5 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text}: a share from 0.5 to below 1, such as 0.95")
    return value


def _tolerance(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f"{text}: points of the score from 0 to 100, such as 1")
    return value
