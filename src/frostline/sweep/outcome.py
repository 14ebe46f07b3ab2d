"""How the jobs of a sweep ended, by what they returned and by what MLflow holds."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from frostline.errors import TrackingError
from frostline.sweep.plan import PlannedJob, common_overrides
from frostline.sweep.summary import Outcome

if TYPE_CHECKING:
    from frostline.tracking.records import RunRecord
    from frostline.tracking.store import Store

_log = logging.getLogger(__name__)


@dataclass
class Ended:
    """What came back from the launcher.

    Attributes:
        failures: Digest to reason.
        killed: Digests of failed jobs whose process was killed: they can be gone on with.
        results: Digest to what `run_job` returned, where the launcher hands it on.
    """

    failures: dict[str, str] = field(default_factory=dict)
    killed: set[str] = field(default_factory=set)
    results: dict[str, dict[str, Any]] = field(default_factory=dict)


def finished_runs(
    jobs: Sequence[PlannedJob], runs: "Sequence[RunRecord]"
) -> "dict[str, RunRecord]":
    """The newest finished run of each job that has one, by digest.

    Args:
        jobs: The jobs.
        runs: Runs of the experiment, the newest first.
    """
    wanted = {job.digest for job in jobs}
    found: dict[str, RunRecord] = {}
    for run in runs:
        digest = run.tags.get("frostline.job_digest", "")
        if run.status == "FINISHED" and digest in wanted:
            found.setdefault(digest, run)
    return found


def states_of(jobs: Sequence[PlannedJob], runs: "Sequence[RunRecord]") -> dict[str, str]:
    """Digest to `finished`, `half done` or `to run`.

    Args:
        jobs: The jobs.
        runs: Runs of the experiment, the newest first.
    """
    newest: dict[str, RunRecord] = {}
    for run in runs:
        newest.setdefault(run.tags.get("frostline.job_digest", ""), run)
    finished = finished_runs(jobs, runs)
    states = {}
    for job in jobs:
        last = newest.get(job.digest)
        begun = last is not None and last.status in {"RUNNING", "KILLED"}
        states[job.digest] = (
            "finished" if job.digest in finished else "half done" if begun else "to run"
        )
    return states


def settle_failures(
    store: "Store", todo: Sequence[PlannedJob], sweep_id: str, parent_run_id: str, ended: Ended
) -> None:
    """Give an end state to the run of each failed job whose process could not do so itself.

    KILLED if the process was killed, so that the next call goes on with the run; else FAILED.
    """
    if not ended.failures:
        return
    try:
        runs = store.find_runs({"frostline.kind": "job", "frostline.sweep_id": sweep_id})
    except TrackingError as error:
        _log.warning("the runs of failed jobs cannot be looked up: %s", error.given)
        return
    newest: dict[str, RunRecord] = {}
    for run in runs:
        newest.setdefault(run.tags.get("frostline.job_digest", ""), run)
    for job in todo:
        reason = ended.failures.get(job.digest)
        found = newest.get(job.digest)
        if reason is None or (found is not None and found.status != "RUNNING"):
            continue
        with suppress(TrackingError):  # another sweep has taken the run over
            if found is not None:
                was_killed = job.digest in ended.killed
                store.resume_run(found.run_id).finish("KILLED" if was_killed else "FAILED", reason)
                continue
            tags = {
                "frostline.kind": "job",
                "frostline.sweep_id": sweep_id,
                "frostline.job_digest": job.digest,
            }
            store.start_run(job.settings.run_name, tags, parent_run_id).finish("FAILED", reason)


def outcomes_of(
    store: "Store",
    jobs: Sequence[PlannedJob],
    answered: "Mapping[str, RunRecord]",
    ended: Ended,
) -> list[Outcome]:
    """How each job ended.

    Args:
        store: Where the runs are.
        jobs: All jobs of the sweep.
        answered: Runs that had answered a job before the sweep began, by digest.
        ended: What came back from the launcher.
    """
    finished: dict[str, RunRecord] = dict(answered)
    told = {*answered, *ended.failures, *ended.results}
    if any(job.digest not in told for job in jobs):
        with suppress(TrackingError):
            finished = finished_runs(jobs, store.find_runs({"frostline.kind": "job"}))
    common = common_overrides(jobs)
    return [_outcome(job, common, answered, finished, ended) for job in jobs]


def _outcome(
    job: PlannedJob,
    common: set[str],
    answered: "Mapping[str, RunRecord]",
    finished: "Mapping[str, RunRecord]",
    ended: Ended,
) -> Outcome:
    digest, name = job.digest, job.settings.run_name
    own = (word.lstrip("+~").partition("=") for word in job.overrides if word not in common)
    swept = {key: value for key, _, value in own}
    if digest in ended.failures:
        return Outcome(digest, name, "failed", ended.failures[digest], "", {}, {})
    if digest in ended.results:
        result = ended.results[digest]
        return Outcome(
            digest,
            name,
            result["state"],
            "",
            result["run_id"],
            result["params"],
            result["metrics"],
            swept,
        )
    run = finished.get(digest)
    if run is None:
        return Outcome(digest, name, "not run", "the sweep ended before it", "", {}, {})
    state = "reused" if digest in answered else "done"
    return Outcome(digest, name, state, "", run.run_id, dict(run.params), dict(run.metrics), swept)
