"""Write the report of a sweep, an experiment or some runs; a sweep's is logged in MLflow."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from frostline.errors import TrackingError
from frostline.reporting.cell_runs import record_cells
from frostline.reporting.look_count import Looks
from frostline.reporting.report_folder import PARTS, Report, write_folder
from frostline.stats.rules import DEFAULT_RULES, Rules
from frostline.tracking.looks_record import looks_at, record_look, sweeps_of
from frostline.tracking.lookup import find_sweep, jobs_of_sweep
from frostline.tracking.reader import Reader
from frostline.tracking.records import ENDED, RunRecord
from frostline.tracking.report_mark import REPORT_TAG, runs_digest
from frostline.tracking.run_contents import StoreSource
from frostline.tracking.store import Store


@dataclass(frozen=True)
class ReportRuns:
    """The runs of a report.

    Attributes:
        records: Runs of single jobs.
        title: What the page is called.
        name: What its folder is called.
        sweep: The sweep's run, if it is a report of one.
    """

    records: Sequence[RunRecord]
    title: str
    name: str
    sweep: RunRecord | None = None


def runs_of_sweep(store: Reader, sweep: str = "") -> ReportRuns:
    """The runs of a sweep, the newest one by default; see `find_sweep`.

    Raises:
        TrackingError: If there is no such sweep.
    """
    record = find_sweep(store, sweep)
    jobs = jobs_of_sweep(store, record.run_id)
    return ReportRuns(jobs, f"Report of {record.name}", record.name, record)


def runs_of_experiment(store: Reader, experiment: str) -> ReportRuns:
    """All jobs of an MLflow experiment.

    Raises:
        TrackingError: If it has none.
    """
    jobs = store.find_runs({"frostline.kind": "job"}, everywhere=True)
    records = [job for job in jobs if job.experiment == experiment]
    if not records:
        others = ", ".join(sorted({job.experiment for job in jobs})) or "none"
        raise TrackingError(
            f"experiment {experiment}: it has no runs", f"experiments with runs: {others}"
        )
    return ReportRuns(records, f"Experiment {experiment}", experiment)


def runs_by_id(store: Reader, run_ids: Sequence[str]) -> ReportRuns:
    """Some runs.

    Raises:
        TrackingError: If one of them does not exist.
    """
    records = [store.get_run(run_id) for run_id in run_ids]
    return ReportRuns(records, f"{len(records)} runs", "runs")


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
    """Compare runs and write page, figures, tables and verdict to a folder; the look is counted.

    Args:
        store: The tracking store, which holds the runs' curves and predictions.
        runs: What the report is about.
        out: The folder; made if need be.
        rules: How to compare.
    """
    sweeps = sweeps_of(store, runs.records)
    if runs.sweep is not None and runs.sweep.run_id not in {one.run_id for one in sweeps}:
        sweeps.append(runs.sweep)
    report = write_folder(
        runs.records,
        StoreSource(store),
        rules,
        out,
        title=runs.title,
        sweep=runs.sweep,
        looks=Looks(looks_at(sweeps)),
    )
    if report.looks.is_new:
        record_look(store, sweeps, report.looks.current)
    return report


def log_report(store: Store, runs: ReportRuns, report: Report) -> bool:
    """Log a report on the sweep's run under `report/`, and a row for each cell beside its jobs.

    The sweep's run keeps its state and end.

    Returns:
        Whether it was logged: not if the runs are no sweep, or the sweep has not ended.
    """
    if runs.sweep is None or runs.sweep.status not in ENDED:
        return False
    with store.amend_run(runs.sweep.run_id) as run:
        # First: files of which a killed process has replaced some count as none.
        run.set_tags({REPORT_TAG: ""})
        for name in PARTS:  # not the whole folder, which may hold other files of the user
            run.log_artifact(report.folder / name, "report")
        # Last: it says that the files are whole, and of which runs.
        whole = [one.run_id for one in runs.records if one.is_whole]
        run.set_tags({REPORT_TAG: runs_digest(whole)})
    if report.verdict is not None:
        record_cells(store, runs.sweep, report.verdict, step=len(runs.records))
    return True
