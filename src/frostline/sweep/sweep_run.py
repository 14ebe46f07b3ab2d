"""The sweep's own run in MLflow: its plan, its jobs, the outcome table and the totals."""

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frostline.invocation import as_called
from frostline.redact import redacted, redacted_values
from frostline.sweep import summary
from frostline.sweep.outcome import Outcome
from frostline.sweep.plan import PlannedJob
from frostline.tracking.lookup import PLAN_FILE, RUNS_FILE

if TYPE_CHECKING:
    from frostline.tracking.records import RunRecord
    from frostline.tracking.store import Store
    from frostline.tracking.tracked_run import Run


def command_again() -> str:
    """The line that resumes this sweep, without secrets."""
    return redacted(as_called(f"python -m src.train {shlex.join(sys.argv[1:])}"))


def open_sweep_run(store: "Store", sweep_id: str) -> "Run":
    """The sweep's run: the one that was begun before, or a new one."""
    from frostline.tracking.provenance import provenance_tags, read_provenance

    key = {"frostline.kind": "sweep", "frostline.sweep_id": sweep_id}
    earlier = store.find_runs(key)
    if earlier:
        return store.resume_run(earlier[0].run_id)
    origin = read_provenance(Path(__file__).parent, command=sys.argv, data={})
    note = {"mlflow.note.content": f"`{command_again()}`"}
    return store.start_run(f"sweep-{sweep_id}", key | note | provenance_tags(origin))


def plan_values(
    sweep_id: str,
    jobs: Sequence[PlannedJob],
    answered: "Mapping[str, RunRecord]",
    states: Mapping[str, str],
) -> dict[str, Any]:
    """The plan as plain values: every job, those included that earlier runs answer.

    Args:
        sweep_id: The sweep.
        jobs: All its jobs.
        answered: Runs that answer a job already, by digest.
        states: Digest to the state of a job that none answers.
    """
    return {
        "sweep_id": sweep_id,
        "command": command_again(),
        "jobs": [
            {
                "digest": job.digest,
                "name": job.settings.run_name,
                "overrides": redacted_values(job.overrides),
                "state": "reused" if job.digest in answered else states[job.digest],
                "run_id": answered[job.digest].run_id if job.digest in answered else "",
            }
            for job in jobs
        ],
    }


def record_outcomes(
    run: "Run", plan: Mapping[str, Any], outcomes: Sequence[Outcome], seconds: float
) -> None:
    """Record on the sweep's run how it ended: the plan with run ids, the table, the totals."""
    by_digest = {outcome.digest: outcome for outcome in outcomes}
    jobs = []
    for job in plan["jobs"]:
        outcome = by_digest[job["digest"]]
        end = {"state": outcome.state, "run_id": outcome.run_id, "reason": outcome.reason}
        jobs.append({**job, **end})
    run.log_dict({**plan, "jobs": jobs}, PLAN_FILE)
    run.log_text(json.dumps([outcome.run_id for outcome in outcomes if outcome.run_id]), RUNS_FILE)
    run.log_text(summary.markdown(outcomes), "outcome.md")
    states = [outcome.state for outcome in outcomes]
    totals: dict[str, Any] = {
        "jobs": len(states),
        "jobs_done": states.count("done"),
        "jobs_reused": states.count("reused"),
        "jobs_failed": states.count("failed"),
        "jobs_not_run": states.count("not run"),
        "seconds": round(seconds, 1),
    }
    # Tags, since they may be set again each time the sweep is resumed.
    run.set_tags({f"frostline.total.{key}": value for key, value in totals.items()})
