"""A group of jobs whose heads train together: each keeps its own run, record and end.

A job of a group is known by its digest like any other. Whatever cannot be done together is handed
back, and the launcher runs it as a job of its own.
"""

import signal
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frostline.config.schema import Settings
from frostline.errors import FrostlineError
from frostline.sweep.job import (
    describe,
    experiment_of,
    open_run,
    read_back,
    reason,
    record_failure,
    result_of,
    runs_of,
)
from frostline.sweep.signals import StopSignalError
from frostline.sweep.workers import Failure

if TYPE_CHECKING:
    from frostline.tracking.records import RunRecord
    from frostline.tracking.store import Store
    from frostline.tracking.tracked_run import Run

Tell = Callable[..., None]
Answer = dict[str, Any] | Failure | None


@dataclass(frozen=True)
class _Member:
    """One job of the group.

    Attributes:
        place: Its place among the jobs that were asked for.
        settings: All that determines it.
        folder: Its own output folder.
        tracked: Its run.
    """

    place: int
    settings: Settings
    folder: Path
    tracked: "Run"


def run_group(
    jobs: Sequence[Settings], folders: Sequence[Path], *, on_progress: Tell
) -> list[Answer]:
    """Carry out jobs of one `group_key` together.

    Args:
        jobs: Their settings; `sweep.job_digest` is set.
        folders: Their output folders.
        on_progress: Receives progress (see frostline.sweep.progress).

    Returns:
        For each job what `run_job` returns, or its failure, or None where it has to run by itself:
        somebody else works on it now, it goes on from a checkpoint, or the group was refused.
    """
    from frostline.tracking.store import open_store

    tracking = jobs[0].tracking
    store = open_store(
        tracking.uri,
        experiment_of(jobs[0]),
        offline=tracking.offline,
        must_answer=jobs[0].sweep.id is None,
    )
    answers: list[Answer] = [None] * len(jobs)
    with ExitStack() as stack:
        members = _opened(store, jobs, folders, answers, stack)
        if members:
            _carry_out(store, members, answers, on_progress)
    return answers


def _opened(
    store: "Store",
    jobs: Sequence[Settings],
    folders: Sequence[Path],
    answers: list[Answer],
    stack: ExitStack,
) -> list[_Member]:
    """The jobs that train together, each with its run; answers that are there already are noted."""
    claimed: list[int] = []
    for place, settings in enumerate(jobs):
        digest = _digest(settings)
        work = store.address.state_dir / "jobs" / digest[:32]
        owner = None if any(work.glob("last-*.ckpt")) else store.claim(digest[:32], wait_s=0)
        if owner is not None:
            stack.enter_context(owner)
            claimed.append(place)
    known: dict[str, list[RunRecord]] = {}
    if not jobs[0].rerun:
        # One question for all: MLflow takes as long for one job's runs as for all of them.
        for run in runs_of(store, None):
            known.setdefault(run.tags.get("frostline.job_digest", ""), []).append(run)
    members = []
    for place in claimed:
        settings = jobs[place]
        runs = known.get(_digest(settings), [])
        finished = next((run for run in runs if run.status == "FINISHED"), None)
        if finished is not None:
            answers[place] = result_of(finished, "reused")
            continue
        tracked, goes_on = open_run(store, settings, runs)
        describe(tracked, settings, is_new=not goes_on)
        members.append(_Member(place, settings, folders[place], tracked))
    return members


def _digest(settings: Settings) -> str:
    digest = settings.sweep.job_digest
    assert digest is not None
    return digest


def _carry_out(
    store: "Store", members: Sequence[_Member], answers: list[Answer], on_progress: Tell
) -> None:
    """Train, and give every run an end state whatever happens."""
    from frostline.sweep.group_record import GroupRecord
    from frostline.training.head_group import run_head_group

    begun = time.monotonic()
    settled: set[int] = set()
    try:
        try:
            trained = run_head_group(
                [member.settings for member in members], on_progress=on_progress
            )
            record = GroupRecord(trained, on_progress)
        except Exception as error:
            # By itself each job either works or fails with a reason of its own.
            said = reason(error)
            for member in members:
                member.tracked.finish("KILLED", f"not trained with others: {said}")
            on_progress(text=f"these jobs run one by one: {said}")
            return
        train_s = (time.monotonic() - begun) / len(members)
        for number, member in enumerate(members):
            tracked, settings = member.tracked, member.settings
            try:
                figures = record.write(number, settings, member.folder, tracked, train_s=train_s)
            except Exception as error:
                record_failure(tracked, error)
                known = error if isinstance(error, FrostlineError) else None
                answers[member.place] = Failure(reason(error), traceback.format_exc(), known)
            else:
                tracked.finish("FINISHED")
                answers[member.place] = result_of(
                    read_back(store, tracked, settings, figures), "done"
                )
            settled.add(number)
    except StopSignalError as stop:
        for number, member in enumerate(members):
            if number not in settled:
                member.tracked.finish("KILLED", f"stopped by {signal.Signals(stop.signum).name}")
        raise
