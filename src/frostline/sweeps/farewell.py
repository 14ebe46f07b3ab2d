"""What a sweep leaves for what comes next: its id, commands to type, and its jobs for programs."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from frostline.invocation import as_called, entered_folder
from frostline.sweeps.outcome import Outcome
from frostline.tracking.address import Address

FILE = "outcome.json"


def ending(sweep_id: str, outcomes: Sequence[Outcome], address: Address) -> list[str]:
    """Lines after the table of a sweep: where the runs are, its id, commands to go on with.

    Args:
        sweep_id: By which `best:ID` and the report find it.
        outcomes: Of all its jobs.
        address: Of the store.
    """
    compare = f"compare the runs in MLflow:  {address.ui_command}"
    if not any(outcome.succeeded for outcome in outcomes):
        return [
            compare,
            f"sweep {sweep_id}: no job has a result, so there is nothing to go on with",
        ]
    commands = (
        f"python -m src.report --sweep {sweep_id}",
        f"python -m src.evaluate best:{sweep_id}",
        f"python -m src.predict best:{sweep_id} PHOTOS/",
        f"python -m src.export best:{sweep_id} --format onnx",
    )
    folder = entered_folder()
    first = [] if folder is None else [f"first, for what follows:  cd {shlex.quote(folder)}"]
    know = as_called("\n  ".join([f"sweep {sweep_id}; what it knows now:", *commands]))
    return [*first, compare, know]


def what_is_missing(outcomes: Sequence[Outcome], command: str) -> str:
    """How to go on where jobs have no result; a job that failed by itself would fail again.

    Args:
        outcomes: Of all jobs of the sweep.
        command: The sweep's own, which runs what has no result.
    """
    again = f"run what is missing with:  {command}"
    failed = [each for each in outcomes if each.state == "failed" and not each.was_killed]
    if not failed:
        return again
    which = failed[0].name + (f" and {len(failed) - 1} more" if len(failed) > 1 else "")
    return f"{which} will fail again unless what it failed of is changed, or left out\n{again}"


def no_result(command: str) -> str:
    """What is said of a race whose budget ended before any of its runs.

    Args:
        command: The sweep's own.
    """
    return (
        "no run came to its end within the budget, so that there is nothing to recommend; what "
        f"was trained is kept: give a larger budget=, and go on with:  {command}"
    )


def commands_for_run(run_id: str) -> str:
    """Lines that name a single run and the commands that take it further."""
    commands = (
        f"python -m src.evaluate {run_id}",
        f"python -m src.predict {run_id} PHOTOS/",
        f"python -m src.export {run_id} --format onnx",
        f"python -m src.report --runs {run_id}",
    )
    return as_called("\n  ".join([f"run {run_id}; go on with:", *commands]))


def write_outcome(folder: Path, sweep_id: str, outcomes: Sequence[Outcome]) -> None:
    """Write the sweep's id and how each job ended, as JSON.

    Args:
        folder: The sweep's.
        sweep_id: By which `best:ID` and the report find it.
        outcomes: Of all jobs, those that earlier runs answered among them.
    """
    jobs = [
        {"name": each.name, "state": each.state, "run_id": each.run_id, "reason": each.reason}
        for each in outcomes
    ]
    content = json.dumps({"sweep_id": sweep_id, "jobs": jobs}, indent=1)
    (folder / FILE).write_text(content + "\n", encoding="utf-8")
