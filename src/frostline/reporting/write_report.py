"""Write the report of some runs, and log it in MLflow if they are a sweep's."""

from pathlib import Path

from frostline.reporting.report_folder import PARTS, Report, write_folder
from frostline.reporting.report_runs import ReportRuns, runs_of_sweep
from frostline.stats.rules import DEFAULT_RULES, Rules
from frostline.tracking.records import ENDED
from frostline.tracking.run_contents import StoreSource
from frostline.tracking.store import Store


def write_sweep_report(store: Store, sweep: str, out: Path) -> Report:
    """Write the report of a sweep by the default rules and log it on the sweep's run.

    Args:
        store: The tracking store.
        sweep: The sweep's id; see `frostline.tracking.lookup.find_sweep`.
        out: The folder; made if need be.

    Raises:
        TrackingError: If there is no such sweep, or the store does not answer.
    """
    runs = runs_of_sweep(store, sweep)
    report = write_report(store, runs, out)
    log_report(store, runs, report)
    return report


def write_report(store: Store, runs: ReportRuns, out: Path, rules: Rules = DEFAULT_RULES) -> Report:
    """Compare runs and write page, figures, tables and verdict to a folder.

    Args:
        store: The tracking store, which holds the runs' curves and predictions.
        runs: What the report is about.
        out: The folder; made if need be.
        rules: How to compare.
    """
    return write_folder(
        runs.records, StoreSource(store), rules, out, title=runs.title, sweep=runs.sweep
    )


def log_report(store: Store, runs: ReportRuns, report: Report) -> bool:
    """Log a report on the sweep's run under `report/`; the run's state and end stay as they are.

    Returns:
        Whether it was logged: not if the runs are no sweep, or the sweep has not ended.
    """
    if runs.sweep is None or runs.sweep.status not in ENDED:
        return False
    with store.amend_run(runs.sweep.run_id) as run:
        for name in PARTS:  # not the whole folder, which may hold other files of the user
            run.log_artifact(report.folder / name, "report")
    return True
