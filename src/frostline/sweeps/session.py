"""One sweep from its composed jobs to its end: plan, the sweep's run, launch, table, report."""

import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from frostline.config.schema import Settings
from frostline.config.search_settings import budget_of
from frostline.errors import FrostlineError, TrackingError
from frostline.sweeps import summary, sweep_run, workers
from frostline.sweeps.budget import check_search
from frostline.sweeps.data_ahead import reading_ahead
from frostline.sweeps.farewell import ending, no_result, what_is_missing, write_outcome
from frostline.sweeps.first_process import FirstProcess
from frostline.sweeps.fork_server import end_descendants
from frostline.sweeps.launch import MakeLauncher, launch
from frostline.sweeps.outcome import (
    Outcome,
    collect_outcomes,
    end_failed_runs,
)
from frostline.sweeps.plan import (
    PlannedJob,
    merge_duplicates,
    plan_job,
    with_distinct_names,
    with_first_seeds,
)
from frostline.sweeps.plan_text import jobs_text
from frostline.sweeps.preflight import check_jobs
from frostline.sweeps.registering import check_register, register_in_worker
from frostline.sweeps.report_line import report_lines, show_lines
from frostline.sweeps.resources import Share
from frostline.sweeps.search import Search
from frostline.sweeps.sharing import stores_epochs
from frostline.sweeps.signals import StopSignalError
from frostline.sweeps.standing import open_to_plan, standing_of
from frostline.sweeps.terminal import output_console, print_prose
from frostline.sweeps.worker_answer import Failure

if TYPE_CHECKING:
    from frostline.tracking.records import RunRecord
    from frostline.tracking.store import Store
from frostline.sweeps.sweep_report import earlier_report, show_report
from frostline.sweeps.sweep_store import claim_id, import_store, is_remote

FAILED_JOBS_EXIT_CODE = 1
Composed = Sequence[tuple[tuple[str, ...], Settings]]


class SweepEndedError(Exception):
    """A sweep that has already printed how it ended, with the exit code to leave with."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code


def run_sweep(
    composed: Composed,
    *,
    folder: Path,
    make_launcher: MakeLauncher,
    share: Share,
    process: FirstProcess | None = None,
) -> list[Outcome]:
    """Run a sweep whose jobs are composed and valid by themselves.

    Args:
        composed: Overrides and settings of the jobs that the command asks for.
        folder: The sweep's folder.
        make_launcher: Makes the configured launcher, once there is something to launch.
        share: What each job may take of its machine.
        process: Begins while the jobs are checked; for our own launcher.

    Returns:
        How each job ended.

    Raises:
        FrostlineError: If a job asks for something impossible; nothing was started then.
        SweepEndedError: If jobs failed. The table has been printed.
        StopSignalError: If the sweep was stopped; what is finished stays finished.
    """
    begun_s, begun_at_s = time.monotonic(), time.time()
    console = Console(file=sys.stderr, soft_wrap=True, highlight=False)
    first = composed[0][1]
    check_register(first)
    store = open_to_plan(first) if is_remote(first) else None
    with reading_ahead([settings for _, settings in composed]):
        import_store()
        jobs, duplicates = merge_duplicates(check_all(composed, console, share, process))
    store = store or open_to_plan(first)
    standing = standing_of(jobs, store, rerun=first.rerun)
    check_search(jobs, standing.todo, standing.finished)
    answered, states, todo = standing.answered, standing.states, standing.todo
    search = Search(budget_of(first.budget), begun_at_s, console)
    lines = [*standing.lines(duplicates), *search.lines(jobs)]
    lines += standing.job_lines() if first.dry_run else []
    console.print("\n".join(lines), markup=False)
    if first.dry_run:
        return []
    if not todo and process is not None:
        process.end()
    assert store is not None
    with ExitStack() as owned:
        sweep_id = claim_id(store, jobs, owned, always_new=first.rerun)
        plan = sweep_run.plan_values(sweep_id, jobs, answered, states)
        outcomes = _run_jobs(store, jobs, answered, plan, make_launcher, share, search, process)
        if any(map(stores_epochs, todo)):
            workers.call(remove_epochs, sweep_id)
    if not store.offline:
        store.deliver_pending()
    output = output_console()
    seconds = time.monotonic() - begun_s
    n_runs = sum(bool(each.run_id) or each.is_missing for each in outcomes)
    summary.show(outcomes, output, title=summary.title(n_runs, seconds))
    (folder / summary.FILE).write_text(summary.markdown(outcomes), encoding="utf-8")
    write_outcome(folder, sweep_id, outcomes)
    output.print("\n".join(ending(sweep_id, outcomes, store.address)), markup=False)
    reported = True
    if first.report and not store.offline:
        page = None if todo else earlier_report(store, sweep_id, outcomes)
        best = summary.best_first(outcomes)[0].run_id
        if page is not None:
            show_lines(output, report_lines(page, best))
        else:
            reported = show_report(first, sweep_id, folder / "report", output, best)
    if reported and first.register_as and any(outcome.succeeded for outcome in outcomes):
        reported, text = register_in_worker(first, f"best:{sweep_id}", folder / "registered")
        output.print(text, markup=False)
    if any(outcome.is_missing for outcome in outcomes):
        output.print(what_is_missing(outcomes, sweep_run.command_again()), markup=False)
        raise SweepEndedError(FAILED_JOBS_EXIT_CODE)
    if not any(outcome.succeeded for outcome in outcomes):
        output.print(no_result(sweep_run.command_again()), markup=False)
        raise SweepEndedError(FAILED_JOBS_EXIT_CODE)
    if not reported:
        raise SweepEndedError(FAILED_JOBS_EXIT_CODE)
    return outcomes


def remove_epochs(sweep_id: str) -> None:
    """Remove what the sweep stored of single epochs; in a process with the libraries."""
    from frostline.features import ended_sweep

    ended_sweep.remove_epochs(sweep_id)


def check_all(
    composed: Composed, console: Console, share: Share, process: FirstProcess | None = None
) -> list[PlannedJob]:
    """Check all jobs in a warm process and give each its digest.

    Raises:
        FrostlineError: One error for all problems of all jobs.
    """
    console.print(
        f"checking {jobs_text(len(composed))} (loading PyTorch and timm takes some seconds)"
    )
    jobs = with_first_seeds([settings for _, settings in composed])
    if process is not None:  # which waits until the libraries are imported
        process.begin(jobs)
    facts = workers.call(
        check_jobs,
        jobs,
        share.elsewhere,
        on_event=lambda message: print_prose(console, message["text"]),
    )
    if isinstance(facts, Failure):
        raise facts.error or FrostlineError(facts.reason, todo=facts.trace)
    return with_distinct_names(
        [
            plan_job(index, overrides, settings, fact)
            for index, ((overrides, _), settings, fact) in enumerate(
                zip(composed, jobs, facts, strict=True)
            )
        ]
    )


def _run_jobs(
    store: "Store",
    jobs: Sequence[PlannedJob],
    answered: "Mapping[str, RunRecord]",
    plan: dict[str, Any],
    make_launcher: MakeLauncher,
    share: Share,
    search: Search,
    process: FirstProcess | None,
) -> list[Outcome]:
    """Launch under the sweep's own run, which gets an end state however the block ends."""
    from frostline.tracking.abandoned import end_abandoned_runs
    from frostline.tracking.lookup import PLAN_FILE

    sweep_id = str(plan["sweep_id"])
    todo = [job for job in jobs if job.digest not in answered]
    key = {"frostline.kind": "sweep", "frostline.sweep_id": sweep_id}
    if not todo and any(run.status == "FINISHED" for run in store.find_runs(key)):
        return collect_outcomes(store, jobs, answered, [])
    begun_s = time.monotonic()
    run = sweep_run.open_sweep_run(store, sweep_id, jobs[0].settings.tags)
    try:
        run.log_dict(plan, PLAN_FILE)

        def start(
            some: Sequence[PlannedJob], until: int | None, deadline_s: float | None
        ) -> list[Outcome]:
            return launch(
                some,
                sweep_id,
                run.run_id,
                make_launcher,
                share,
                first=process,
                until_epoch=until,
                deadline_s=deadline_s,
            )

        launched = search.carry_out(store, run, jobs, todo, start)
        end_failed_runs(store, todo, sweep_id, run.run_id, launched)
        outcomes = collect_outcomes(store, jobs, answered, launched)
        sweep_run.record_outcomes(run, plan, outcomes, time.monotonic() - begun_s)
    except StopSignalError as stop:
        end_descendants()
        with suppress(TrackingError):
            end_abandoned_runs(store, {"frostline.kind": "job", "frostline.sweep_id": sweep_id})
        run.finish("KILLED", f"stopped by signal {stop.signum}")
        raise
    except BaseException as error:
        run.finish("FAILED", f"{type(error).__name__}: {error}")
        raise
    n_bad = sum(outcome.is_missing for outcome in outcomes)
    reason = f"{n_bad} of {len(outcomes)} jobs have no result" if n_bad else ""
    run.finish("FAILED" if n_bad else "FINISHED", reason)
    return outcomes
