"""The same command again: a sweep whose runs are all there is answered without any heavy library.

Looked at are the data, what earlier checks found out (`known_facts`), and the file of the store. If
one of them does not give the whole answer, the command goes its usual way.
"""

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from frostline.config.freeze_value import depends_on_stages
from frostline.config.identity import config_digest
from frostline.config.schema import Settings
from frostline.errors import FrostlineError
from frostline.sweeps import summary
from frostline.sweeps.data_check import data_key, read_data
from frostline.sweeps.farewell import ending, write_outcome
from frostline.sweeps.job_runs import experiment_of
from frostline.sweeps.known_facts import are_known, known_facts
from frostline.sweeps.outcome import Outcome, answered_outcomes
from frostline.sweeps.plan import (
    merge_duplicates,
    plan_job,
    sweep_id_of,
    with_distinct_names,
    with_first_seeds,
)
from frostline.sweeps.report_line import report_lines, show_lines, whole_report
from frostline.sweeps.standing import Standing
from frostline.sweeps.terminal import output_console, print_prose
from frostline.tracking.address import Address, resolve_address
from frostline.tracking.quick_look import runs_tagged
from frostline.tracking.records import RunRecord

Composed = Sequence[tuple[tuple[str, ...], Settings]]


@dataclass(frozen=True)
class Answered:
    """A sweep, or a single run, that earlier runs answer.

    Attributes:
        texts: What was found out about the data, and the plan.
        outcomes: How its jobs ended, each once.
        sweep_id: The id of a sweep with these jobs.
        report: Lines about its report; empty for a single run, or if none was asked for.
        address: Where the runs are.
    """

    texts: list[str]
    outcomes: list[Outcome]
    sweep_id: str
    report: list[str]
    address: Address


def answer(composed: Composed, *, is_sweep: bool) -> Answered | None:
    """Answer a command from what is there; None if its usual way has to be gone.

    Args:
        composed: Overrides and settings of the jobs.
        is_sweep: Whether it is a sweep, which has a run and a report of its own.
    """
    with suppress(FrostlineError, OSError):  # the usual way says what is wrong
        return _answer(composed, is_sweep=is_sweep)
    return None


def may_be_answered(settings: Settings) -> bool:
    """Whether one job has such a run, as far as can be said without its data."""
    with suppress(FrostlineError, OSError):
        return _has_runs(with_first_seeds([settings]))
    return False


def _has_runs(jobs: Sequence[Settings]) -> bool:
    first = jobs[0]
    # Measures of the data, and code of the user's own, are for the usual way.
    special = any(job.strategy.asks_for_choice or job.own_code is not None for job in jobs)
    special = special or first.register_as is not None  # which needs a report, and an export
    if first.rerun or first.dry_run or first.tracking.offline or special or not are_known(jobs):
        return False
    wanted = {config_digest(job) for job in jobs if not depends_on_stages(job.freeze)}
    address = resolve_address(first.tracking.uri, Path.cwd())
    tag = "frostline.config_digest"
    runs = runs_tagged(address, experiment_of(first), tag, wanted)
    if runs is None:
        return False
    return wanted <= {run.tags[tag] for run in runs if run.is_whole}


def _answer(composed: Composed, *, is_sweep: bool) -> Answered | None:
    jobs = with_first_seeds([settings for _, settings in composed])
    first = jobs[0]
    if not _has_runs(jobs):
        return None
    texts: list[str] = []
    data = read_data(jobs, lambda function, *given: function(*given), _listing(texts))
    facts = known_facts(jobs, [data[data_key(job)] for job in jobs])
    if facts is None:
        return None
    planned = [
        plan_job(index, overrides, job, fact)
        for index, ((overrides, _), job, fact) in enumerate(zip(composed, jobs, facts, strict=True))
    ]
    unique, duplicates = merge_duplicates(with_distinct_names(planned) if is_sweep else planned)
    address = resolve_address(first.tracking.uri, Path.cwd())
    digests = [job.digest for job in unique]
    runs = runs_tagged(address, experiment_of(first), "frostline.job_digest", digests) or []
    standing = Standing.of(unique, runs, rerun=False)
    if standing.todo:
        return None
    outcomes = answered_outcomes(unique, standing.answered)
    texts += standing.lines(duplicates)
    sweep_id = sweep_id_of(unique)
    report: list[str] = []
    if is_sweep:
        sweep = _sweep_run(address, first, sweep_id)
        if sweep is None:
            return None
        page = whole_report(address, sweep, [outcome.run_id for outcome in outcomes])
        if page is None and first.report:
            return None
        report = [] if page is None else report_lines(page, summary.best_first(outcomes)[0].run_id)
    return Answered(texts, outcomes, sweep_id, report, address)


def _sweep_run(address: Address, first: Settings, sweep_id: str) -> RunRecord | None:
    runs = runs_tagged(address, experiment_of(first), "frostline.sweep_id", [sweep_id]) or []
    sweeps = [run for run in runs if run.tags.get("frostline.kind") == "sweep"]
    return next((run for run in sweeps if run.status == "FINISHED"), None)


def _listing(texts: list[str]) -> Callable[..., None]:
    def on_progress(*, text: str) -> None:
        texts.append(text)

    return on_progress


def show_sweep(answered: Answered, folder: Path, *, seconds: float) -> None:
    """Print an answered sweep as a sweep ends, and leave in its folder what a sweep leaves.

    Args:
        answered: The sweep.
        folder: Its folder.
        seconds: How long it took.
    """
    console = Console(file=sys.stderr, soft_wrap=True, highlight=False)
    print_prose(console, "\n".join(answered.texts))
    output = output_console()
    summary.show(answered.outcomes, output, title=summary.title(len(answered.outcomes), seconds))
    (folder / summary.FILE).write_text(summary.markdown(answered.outcomes), encoding="utf-8")
    write_outcome(folder, answered.sweep_id, answered.outcomes)
    lines = ending(answered.sweep_id, answered.outcomes, answered.address)
    output.print("\n".join(lines), markup=False)
    if answered.report:
        show_lines(output, answered.report)
