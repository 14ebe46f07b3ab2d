"""What a store knows of planned jobs, and the plan as lines: for a sweep and for a single run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from frostline.config.schema import Settings
from frostline.sweeps.estimate import estimate
from frostline.sweeps.job_runs import experiment_of
from frostline.sweeps.outcome import find_finished_runs, states_of
from frostline.sweeps.plan import PlannedJob
from frostline.sweeps.plan_text import changes_since, job_lines, plan_lines, sharing_lines

if TYPE_CHECKING:
    from frostline.tracking.records import RunRecord
    from frostline.tracking.store import Store


@dataclass(frozen=True)
class Standing:
    """Jobs and what is known of them.

    Attributes:
        jobs: The jobs, each once.
        runs: All runs of jobs in the store, the newest first.
        answered: The finished runs that answer jobs, by digest.
        states: Digest to `finished`, `half done` or `to run`.
        rerun: Whether finished runs are repeated, so that none answers.
    """

    jobs: Sequence[PlannedJob]
    runs: "Sequence[RunRecord]"
    answered: "Mapping[str, RunRecord]"
    states: Mapping[str, str]
    rerun: bool

    @classmethod
    def of(
        cls, jobs: Sequence[PlannedJob], runs: "Sequence[RunRecord]", *, rerun: bool
    ) -> "Standing":
        """What runs say of jobs."""
        usable = [] if rerun else runs
        return cls(jobs, runs, find_finished_runs(jobs, usable), states_of(jobs, usable), rerun)

    @property
    def todo(self) -> list[PlannedJob]:
        """The jobs that no finished run answers."""
        return [job for job in self.jobs if job.digest not in self.answered]

    @property
    def finished(self) -> "list[RunRecord]":
        """All finished runs of the store, the newest first."""
        return [run for run in self.runs if run.is_whole]

    def lines(self, duplicates: Sequence[tuple[PlannedJob, PlannedJob]] = ()) -> list[str]:
        """The plan: how many jobs, what has changed, time, disk.

        Args:
            duplicates: Jobs left out, each beside the one that asks for the same.
        """
        changes = [] if self.rerun else changes_since(self.todo, self.finished)
        cost = estimate(self.todo, self.finished)
        lines = plan_lines(self.jobs, self.states, duplicates, cost, changes)
        return lines + sharing_lines(self.todo)

    def job_lines(self) -> list[str]:
        """Each job and its state, as a dry run shows them."""
        return job_lines(self.jobs, self.states)


def standing_of(jobs: Sequence[PlannedJob], store: "Store | None", *, rerun: bool) -> Standing:
    """Look jobs up.

    Args:
        jobs: The jobs, each once.
        store: Where runs are recorded; None if there is no such place yet.
        rerun: Whether finished runs are repeated.
    """
    runs = [] if store is None else store.find_runs({"frostline.kind": "job"})
    return Standing.of(jobs, runs, rerun=rerun)


def open_to_plan(settings: Settings) -> "Store | None":
    """The store; None where a dry run would have to create it."""
    from frostline.tracking.address import resolve_address
    from frostline.tracking.store import open_store

    tracking = settings.tracking
    database = resolve_address(tracking.uri, Path.cwd()).database
    if settings.dry_run and database is not None and not database.exists():
        return None
    return open_store(tracking.uri, experiment_of(settings), offline=tracking.offline)
