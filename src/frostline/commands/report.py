"""Compare finished runs: one HTML page that says which to take, and how sure that is.

python -m src.report                        # the newest sweep
python -m src.report --sweep ID             # or its first characters
python -m src.report --experiment leaves    # all runs of an MLflow experiment
python -m src.report --runs ID ID ...       # these runs
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from frostline.commands.arguments import add_store, command_parser, reported_errors
from frostline.errors import TrackingError
from frostline.sweep.summary import RANKED_BY

if TYPE_CHECKING:
    from frostline.reporting.write_report import Report
    from frostline.stats.verdict import Rules
    from frostline.tracking.records import RunRecord
    from frostline.tracking.store import Store
    from frostline.tracking.tracked_run import EndStatus, Run

SCORES = ("f1_macro", "acc_macro", "acc_micro")
SCORE = RANKED_BY.removeprefix("val_best/")
LEVEL = 0.95
EQUIVALENCE_POINTS = 0.5
MAX_TESTED = 40
RUNS_FILE = "runs.json"
_SHOWN = 8


def write_report(
    store: "Store",
    sweep_id: str,
    out_dir: Path,
    *,
    run_ids: Sequence[str] | None = None,
    parent: "Run | None" = None,
) -> Path:
    """Write the report of a sweep and log it on the sweep's run, under `report/`.

    Args:
        store: The tracking store.
        sweep_id: The sweep.
        out_dir: Where the page, `figures/` and `tables/` go.
        run_ids: The sweep's runs, where some were answered by runs of earlier sweeps; None for
            those that carry the sweep's id and those named in its artifact `runs.json`.
        parent: The sweep's run, if this process owns it; else it is taken over for the logging.

    Returns:
        The page.

    Raises:
        TrackingError: If there is no such sweep, or the store is away.
    """
    record = _sweep(store, sweep_id)
    jobs = _jobs(store, record, run_ids)
    report = _write(store, jobs, out_dir, f"Report of {record.name}", record, _rules())
    if parent is not None:
        _log_folder(parent, out_dir)
    else:
        _log_on(store, record, out_dir)
    return report.page


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    given = _parser().parse_args(arguments)
    with reported_errors():
        _run(given)


def _run(given: argparse.Namespace) -> None:
    from frostline.stats.verdict import Rules
    from frostline.tracking.store import open_store

    store = open_store(given.uri, "Default")
    parent = None
    if given.runs:
        jobs = [store.get_run(run_id) for run_id in given.runs]
        title, name = f"{len(jobs)} runs", "runs"
    elif given.experiment:
        jobs = _of_experiment(store, given.experiment)
        title, name = f"Experiment {given.experiment}", given.experiment
    else:
        parent = _sweep(store, given.sweep)
        jobs = _jobs(store, parent, None)
        title, name = f"Report of {parent.name}", parent.name
    out = given.out or Path("outputs") / "reports" / name.replace("/", "-")
    rules = Rules(given.score, given.level, given.equivalence / 100, given.max_tested)
    report = _write(store, jobs, out, title, parent, rules)
    logged = parent is not None and _log_on(store, parent, out)
    if given.json:
        print((out / "verdict.json").read_text(), end="")
        return
    print(report.words.headline)
    for heading, text in report.words.paragraphs:
        print(f"\n{heading}")
        print("\n".join(f"  {line}" for line in text.splitlines()))
    print(f"\npage: {report.page}" + ("  (also in MLflow, on the sweep's run)" if logged else ""))


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("src.report", __doc__)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--sweep", metavar="ID", default="", help="a sweep, by its id or its run's")
    which.add_argument("--experiment", metavar="NAME", help="all runs of an MLflow experiment")
    which.add_argument("--runs", metavar="ID", nargs="+", help="these runs")
    parser.add_argument("--out", metavar="DIR", type=Path, help="default: outputs/reports/NAME")
    add_store(parser)
    parser.add_argument("--json", action="store_true", help="print the verdict as JSON")
    parser.add_argument("--score", choices=SCORES, default=SCORE, help=f"default: {SCORE}")
    parser.add_argument("--level", type=_level, default=LEVEL, help=f"confidence; default: {LEVEL}")
    parser.add_argument(
        "--equivalence",
        metavar="POINTS",
        type=float,
        default=EQUIVALENCE_POINTS,
        help=f"differences up to this do not matter; default: {EQUIVALENCE_POINTS}",
    )
    parser.add_argument(
        "--max-tested",
        metavar="N",
        type=int,
        default=MAX_TESTED,
        help=f"test the N best configurations against the top; default: {MAX_TESTED}",
    )
    return parser


def _rules() -> "Rules":
    from frostline.stats.verdict import Rules

    return Rules(SCORE, LEVEL, EQUIVALENCE_POINTS / 100, MAX_TESTED)


def _write(
    store: "Store",
    jobs: Sequence["RunRecord"],
    out: Path,
    title: str,
    parent: "RunRecord | None",
    rules: "Rules",
) -> "Report":
    from frostline.reporting.write_report import write_folder
    from frostline.tracking.run_contents import StoreSource

    return write_folder(jobs, StoreSource(store), rules, out, title=title, parent=parent)


def _sweep(store: "Store", wanted: str) -> "RunRecord":
    """The newest run of a sweep whose sweep id, run id or name begins so."""
    sweeps = store.find_runs({"frostline.kind": "sweep"}, everywhere=True)
    for run in sweeps:
        names = (run.tags.get("frostline.sweep_id", ""), run.run_id, run.name)
        if any(name.startswith(wanted) for name in names):
            return run
    if not sweeps:
        raise TrackingError(
            f"there is no sweep in {store.address.shown}",
            todo="run one: python -m src.train -m freeze=0,2,4 ; or name --experiment or --runs",
        )
    shown = ", ".join(run.tags.get("frostline.sweep_id", run.name) for run in sweeps[:_SHOWN])
    raise TrackingError(f"--sweep {wanted}: there is no such sweep", f"the newest are {shown}")


def _jobs(store: "Store", parent: "RunRecord", run_ids: Sequence[str] | None) -> list["RunRecord"]:
    """The runs of a sweep, and the earlier runs that answered for some of its jobs."""
    from frostline.tracking.run_contents import StoreSource

    sweep_id = parent.tags.get("frostline.sweep_id", "")
    tags = {"frostline.kind": "job", "frostline.sweep_id": sweep_id}
    own = {run.run_id: run for run in store.find_runs(tags, everywhere=True)}
    if run_ids is None:
        text = StoreSource(store).text(parent.run_id, RUNS_FILE)
        run_ids = json.loads(text) if text else []
    return [*own.values(), *(store.get_run(name) for name in run_ids if name not in own)]


def _of_experiment(store: "Store", name: str) -> list["RunRecord"]:
    runs = store.find_runs({"frostline.kind": "job"}, everywhere=True)
    found = [run for run in runs if run.experiment == name]
    if not found:
        known = ", ".join(sorted({run.experiment for run in runs})) or "none"
        raise TrackingError(f"--experiment {name}: it has no runs", f"with runs: {known}")
    return found


def _log_on(store: "Store", record: "RunRecord", out: Path) -> bool:
    """Log the folder on a sweep's run that has ended; its end stays what it was."""
    ended: dict[str, EndStatus] = {"FINISHED": "FINISHED", "FAILED": "FAILED", "KILLED": "KILLED"}
    if record.status not in ended:
        print("the sweep has not ended: the page is not logged in MLflow", file=sys.stderr)
        return False
    run = store.resume_run(record.run_id)
    _log_folder(run, out)
    run.finish(ended[record.status], record.tags.get("frostline.failure", ""))
    return True


def _log_folder(run: "Run", out: Path) -> None:
    """Log what a report consists of; the folder may hold other files of the person."""
    from frostline.reporting.write_report import PARTS

    for name in PARTS:
        run.log_artifact(out / name, "report")


def _level(text: str) -> float:
    value = float(text)
    if not 0.5 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text}: a share from 0.5 to below 1, such as 0.95")
    return value
