"""The report at the end of a sweep, written in a process of its own."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from frostline.config.schema import Settings
from frostline.errors import TrackingError
from frostline.invocation import as_called
from frostline.sweeps import workers
from frostline.sweeps.job_runs import experiment_of
from frostline.sweeps.outcome import (
    Outcome,
)
from frostline.sweeps.report_line import place_line, show_lines
from frostline.sweeps.worker_answer import Failure

if TYPE_CHECKING:
    from frostline.tracking.store import Store


def earlier_report(store: "Store", sweep_id: str, outcomes: Sequence[Outcome]) -> Path | None:
    """The page of a whole report; None if it is missing: interrupted, failed, not asked for."""
    from frostline.tracking.report_mark import PAGE_ARTIFACT, is_marked

    runs = store.find_runs({"frostline.kind": "sweep", "frostline.sweep_id": sweep_id})
    run_ids = [outcome.run_id for outcome in outcomes if outcome.succeeded]
    if not runs or not is_marked(store.get_run(runs[0].run_id).tags, run_ids):
        return None
    with suppress(TrackingError):
        return store.fetch_artifact(runs[0].run_id, PAGE_ARTIFACT)
    return None


def show_report(
    settings: Settings, sweep_id: str, folder: Path, output: Console, first: str
) -> bool:
    """Write the report in a warm process of its own; print its verdict, or why there is none.

    Args:
        settings: Of any job.
        sweep_id: The sweep.
        folder: Where the report goes.
        output: Where to print.
        first: The run that the printed table begins with.

    Returns:
        Whether it was written; the runs keep their states either way.
    """
    page = workers.call(report_of, settings, sweep_id, folder, first)
    if isinstance(page, Failure):
        output.print(f"FAILED  the report: {page.reason}", markup=False)
        again = as_called(f"python -m src.report --sweep {sweep_id}")
        output.print(f"the runs are whole; write it with:  {again}", markup=False)
        return False
    lines = [page["headline"], page["why_not_first"], place_line(Path(page["page"]))]
    show_lines(output, [line for line in lines if line])
    return True


def report_of(settings: Settings, sweep_id: str, folder: Path, first: str = "") -> dict[str, str]:
    """Write a sweep's report and log it on the sweep's run.

    Args:
        settings: Of any job.
        sweep_id: The sweep.
        folder: Where the report goes.
        first: The run that the printed table begins with.

    Returns:
        Where the page is, its headline, and why another run is the first of the table.
    """
    from frostline.reporting.recommendation import why_not_first
    from frostline.reporting.write_report import write_sweep_report
    from frostline.tracking.store import open_store

    store = open_store(settings.tracking.uri, experiment_of(settings))
    report = write_sweep_report(store, sweep_id, folder)
    return {
        "page": str(report.page),
        "headline": report.conclusion.headline,
        "why_not_first": why_not_first(report.verdict, first),
    }
