"""How the jobs of a sweep ended, by what they returned and by what MLflow holds."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Self

from frostline.config.recorded_identity import DIGEST_TAG, has_own_digest
from frostline.errors import DataChangedError, TrackingError
from frostline.sweeps.plan import PlannedJob, common_overrides
from frostline.sweeps.worker_answer import Failure
from frostline.tracking.records import DROPPED, SOLVER

if TYPE_CHECKING:
    from frostline.tracking.records import RunRecord
    from frostline.tracking.store import Store

# Whether a failure was not the training's own: see `failures.is_not_trainings_own`.
RESUMABLE = "frostline.resumable"
BUDGET_SPENT = "the budget was spent; a larger one goes on"
NEXT_ROUND = "the race's next round"
INPUTS_CHANGED = "the sweep stopped, since its inputs have changed"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """How one job ended.

    Attributes:
        digest: The job's digest; empty for a single run.
        name: The run's name.
        state: `done`, `reused` (an identical finished run answered), `failed` or `not run`; in a
            race also `paused`, `dropped`, and `left`, if the race ended before it.
        run_id: The run that has the result; empty if there is none.
        params: The run's parameters, as MLflow holds them.
        metrics: The run's last metrics.
        reason: Why it failed, in one line; empty otherwise.
        was_killed: Whether a signal ended its process, so that the next call can resume it.
        swept: Settings that differ in the sweep and are no parameters in MLflow, such as
            `head.pool`: key to value as typed.
        stops_sweep: Whether the jobs that are left must not begin: their inputs have changed.
        is_solved: Whether its head was solved exactly, so that its learning rate had no effect.
    """

    digest: str
    name: str
    state: str
    run_id: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    was_killed: bool = False
    swept: Mapping[str, str] = field(default_factory=dict)
    stops_sweep: bool = False
    is_solved: bool = False

    @property
    def succeeded(self) -> bool:
        """Whether the run has figures."""
        return self.state in {"done", "reused"}

    @property
    def is_missing(self) -> bool:
        """Whether there should be figures, and are none."""
        return not self.succeeded and self.state not in {"dropped", "left"}

    @classmethod
    def of_failure(cls, digest: str, name: str, failure: Failure) -> Self:
        """The outcome of a job that failed, as far as its process could say why."""
        return cls(
            digest,
            name,
            "failed",
            reason=failure.reason,
            was_killed=failure.was_killed,
            stops_sweep=isinstance(failure.error, DataChangedError),
        )

    @classmethod
    def paused(cls, digest: str, name: str, run_id: str, reason: str) -> Self:
        """The outcome of a job that a race goes on with later."""
        return cls(digest, name, "paused", run_id, reason=reason)

    @classmethod
    def left(cls, digest: str, name: str, reason: str = BUDGET_SPENT) -> Self:
        """The outcome of a job that was not begun, or not ended, once nothing more was to run."""
        return cls(digest, name, "left", reason=reason)

    @classmethod
    def not_run(cls, digest: str, name: str, reason: str) -> Self:
        """The outcome of a job that was never begun."""
        return cls(digest, name, "not run", reason=reason)


def find_finished_runs(
    jobs: Sequence[PlannedJob], runs: "Sequence[RunRecord]"
) -> "dict[str, RunRecord]":
    """The newest finished run of each job that has one with its inputs, by digest.

    Args:
        jobs: The jobs.
        runs: Runs of the experiment, the newest first.
    """
    wanted = {job.digest: job for job in jobs}
    finished: dict[str, RunRecord] = {}
    for run in runs:
        job = wanted.get(run.tags.get(DIGEST_TAG, ""))
        if job is None or not run.is_whole:
            continue
        if has_own_digest(job.settings, run.tags, asdict(job.facts)):
            finished.setdefault(job.digest, run)
    return finished


def states_of(jobs: Sequence[PlannedJob], runs: "Sequence[RunRecord]") -> dict[str, str]:
    """Digest to `finished`, `half done` or `to run`.

    Args:
        jobs: The jobs.
        runs: Runs of the experiment, the newest first.
    """
    newest = _newest_by_digest(runs)
    finished = find_finished_runs(jobs, runs)
    states = {}
    for job in jobs:
        last = newest.get(job.digest)
        begun = last is not None and (
            last.status in {"RUNNING", "SCHEDULED", "KILLED"}
            or DROPPED in last.tags
            or failed_around_training(last)
        )
        states[job.digest] = (
            "finished" if job.digest in finished else "half done" if begun else "to run"
        )
    return states


def failed_around_training(run: "RunRecord") -> bool:
    """Whether a run failed by something that was not its training's own: it can be resumed."""
    return run.status == "FAILED" and run.tags.get(RESUMABLE) == "true"


def end_failed_runs(
    store: "Store",
    jobs: Sequence[PlannedJob],
    sweep_id: str,
    parent_run_id: str,
    outcomes: Sequence[Outcome],
) -> None:
    """Give an end state to the run of each failed job whose process could not do so itself.

    KILLED if the process was killed, so that the next call resumes the run; else FAILED.

    Args:
        store: Where the runs are.
        jobs: The jobs that were launched.
        sweep_id: Their sweep.
        parent_run_id: The sweep's run.
        outcomes: What came back from the launcher.
    """
    failed = {outcome.digest: outcome for outcome in outcomes if outcome.state == "failed"}
    if not failed:
        return
    try:
        runs = store.find_runs({"frostline.kind": "job", "frostline.sweep_id": sweep_id})
    except TrackingError as error:
        _log.warning("the runs of failed jobs cannot be looked up: %s", error.given)
        return
    newest = _newest_by_digest(runs)
    for job in jobs:
        outcome, run = failed.get(job.digest), newest.get(job.digest)
        if outcome is None or (run is not None and run.status != "RUNNING"):
            continue
        with suppress(TrackingError):  # another sweep has taken the run over
            if run is not None:
                resumed = store.resume_run(run.run_id)
                resumed.finish("KILLED" if outcome.was_killed else "FAILED", outcome.reason)
                continue
            tags = {
                "frostline.kind": "job",
                "frostline.sweep_id": sweep_id,
                "frostline.job_digest": job.digest,
            }
            new = store.start_run(job.settings.run_name, tags, parent_run_id)
            new.finish("FAILED", outcome.reason)


def collect_outcomes(
    store: "Store",
    jobs: Sequence[PlannedJob],
    answered: "Mapping[str, RunRecord]",
    launched: Sequence[Outcome],
) -> list[Outcome]:
    """How each job of the sweep ended, in the order of the jobs.

    Args:
        store: Where the runs are.
        jobs: All jobs of the sweep.
        answered: Runs that had answered a job before the sweep began, by digest.
        launched: What came back from the launcher; a launcher may lose some.
    """
    by_digest = {outcome.digest: outcome for outcome in launched}
    finished: dict[str, RunRecord] = dict(answered)
    if any(job.digest not in {*answered, *by_digest} for job in jobs):
        with suppress(TrackingError):
            finished = find_finished_runs(jobs, store.find_runs({"frostline.kind": "job"}))
    common = common_overrides(jobs)
    outcomes = []
    for job in jobs:
        outcome = by_digest.get(job.digest)
        if outcome is None:
            outcome = _from_run(job, finished.get(job.digest), job.digest in answered)
        outcomes.append(replace(outcome, swept=_swept(job, common)))
    return outcomes


def answered_outcomes(
    jobs: Sequence[PlannedJob], answered: "Mapping[str, RunRecord]"
) -> list[Outcome]:
    """The outcomes of jobs that earlier runs all answer.

    Args:
        jobs: The jobs.
        answered: Their runs, by digest.
    """
    common = common_overrides(jobs)
    return [
        replace(_from_run(job, answered[job.digest], is_reused=True), swept=_swept(job, common))
        for job in jobs
    ]


def _from_run(job: PlannedJob, run: "RunRecord | None", is_reused: bool) -> Outcome:
    name = job.settings.run_name
    if run is None:
        return Outcome.not_run(job.digest, name, "the sweep ended before it")
    state = "reused" if is_reused else "done"
    return Outcome(
        job.digest,
        name,
        state,
        run.run_id,
        dict(run.params),
        dict(run.metrics),
        is_solved=SOLVER in run.tags,
    )


def _swept(job: PlannedJob, common: set[str]) -> dict[str, str]:
    """What a job's own overrides set, key to value as typed."""
    own = (word.lstrip("+~").partition("=") for word in job.overrides if word not in common)
    return {key: value for key, _, value in own}


def _newest_by_digest(runs: "Sequence[RunRecord]") -> "dict[str, RunRecord]":
    newest: dict[str, RunRecord] = {}
    for run in runs:
        newest.setdefault(run.tags.get("frostline.job_digest", ""), run)
    return newest
