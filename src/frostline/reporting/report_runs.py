"""Which runs a report is about: those of a sweep, of an experiment, or some by their ids."""

from collections.abc import Sequence
from dataclasses import dataclass

from frostline.errors import TrackingError
from frostline.tracking.lookup import find_sweep, jobs_of_sweep
from frostline.tracking.reader import Reader
from frostline.tracking.records import RunRecord


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
