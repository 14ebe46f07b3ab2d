"""The sweep's own run in MLflow: its plan, its jobs, the outcome table and the totals."""

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frostline.invocation import as_called
from frostline.plugins.folders import config_folders
from frostline.redact import redacted, redacted_values
from frostline.sweeps import summary
from frostline.sweeps.outcome import Outcome
from frostline.sweeps.plan import PlannedJob
from frostline.tracking.lookup import PLAN_FILE, RUNS_FILE
from frostline.tracking.records import USER_TAGS

if TYPE_CHECKING:
    from frostline.tracking.records import RunRecord
    from frostline.tracking.store import Store
    from frostline.tracking.tracked_run import Run


NOTE = "mlflow.note.content"  # what MLflow shows as the run's description
# MLflow keeps 8000 characters of a tag.
_NOTE_CHARS = 7500


def command_again() -> str:
    """The line that resumes this sweep, without secrets."""
    return redacted(as_called(f"python -m src.train {shlex.join(sys.argv[1:])}"))


def open_sweep_run(store: "Store", sweep_id: str, tags: Mapping[str, str]) -> "Run":
    """The sweep's run: the one that was begun before, or a new one.

    Args:
        store: Where to.
        sweep_id: The sweep.
        tags: The user's own.
    """
    from frostline.tracking.provenance import provenance_tags, read_provenance

    key = {"frostline.kind": "sweep", "frostline.sweep_id": sweep_id}
    own = {**tags, USER_TAGS: ",".join(tags)} if tags else {}
    earlier = store.find_runs(key)
    if earlier:
        run = store.resume_run(earlier[0].run_id)
        run.set_tags(own)
        return run
    origin = read_provenance(Path(__file__).parent, command=sys.argv, data={})
    note = {NOTE: f"`{command_again()}`"}
    return store.start_run(f"sweep-{sweep_id}", key | note | own | provenance_tags(origin))


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
        # Where the user's own options are, which the overrides may choose.
        "config_dir": config_folders(sys.argv[1:]),
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
    record_best(run, outcomes)
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


def record_best(run: "Run", outcomes: Sequence[Outcome]) -> None:
    """Show on the sweep's run what came of it: the best job's scores, which it is, and the table.

    Args:
        run: The sweep's.
        outcomes: Of all jobs.
    """
    finished = [outcome for outcome in summary.best_first(outcomes) if outcome.succeeded]
    if finished:
        best = finished[0]
        scores = {key: best.metrics[key] for key in summary.FIGURES.values() if key in best.metrics}
        # A sweep that is resumed has more finished jobs, so that its new best is the last point.
        run.log_metrics(scores, step=len(finished))
        values = {key: best.params.get(key, "?") for key in ("backbone", "freeze")}
        run.set_tags({"best": best.name, "best_run": best.run_id, **_prefixed(values)})
    run.set_tags({NOTE: description(outcomes)})


def description(outcomes: Sequence[Outcome]) -> str:
    """The command and the table of the outcome as Markdown, without the last rows of a long one."""
    lines = summary.markdown(outcomes).splitlines()
    head = f"`{command_again()}`\n\n"
    kept = list(lines)
    while len(kept) > 2 and len(head) + sum(len(line) + 1 for line in kept) > _NOTE_CHARS:
        kept.pop()
    more = len(lines) - len(kept)
    tail = f"\n\nand {more} more, in the artifact outcome.md" if more else ""
    return head + "\n".join(kept) + tail


def _prefixed(values: Mapping[str, str]) -> dict[str, str]:
    return {f"best_{key}": value for key, value in values.items()}
