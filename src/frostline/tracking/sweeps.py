"""Finding a sweep by its id or name, and the runs that count for it."""

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress

from frostline.errors import TrackingError
from frostline.tracking.reader import Reader
from frostline.tracking.records import PARENT_TAG, RunRecord

RUNS_FILE = "runs.json"
_ID_TAG = "frostline.sweep_id"
_MAX_SHOWN = 8


def find_sweep(store: Reader, sweep: str = "") -> RunRecord:
    """The run of a sweep, looked for in all experiments.

    Args:
        store: Where to look.
        sweep: The sweep's id, or the id or the name of its run, or how one of these begins; empty
            for the newest sweep. A whole id or name counts before a beginning, and of several
            sweeps the newest is taken.

    Raises:
        TrackingError: If there is no such sweep.
    """
    sweeps = _all_sweeps(store)
    record = sweeps[0] if sweeps and not sweep else _best_match(sweeps, sweep)
    if record is None:
        raise _no_such_sweep(store, sweep, sweeps)
    return record


def jobs_of_sweep(store: Reader, sweep: str) -> list[RunRecord]:
    """The runs of a sweep: its own, and those of earlier sweeps that it reused.

    Args:
        store: Where to look.
        sweep: As for `find_sweep`. If the sweep's own run is gone, its id still finds its jobs.

    Raises:
        TrackingError: If there is neither such a sweep nor a job of it.
    """
    sweeps = _all_sweeps(store)
    record = _best_match(sweeps, sweep)
    queries = [{_ID_TAG: sweep}]
    reused: Iterable[str] = ()
    if record is not None:
        queries = [{PARENT_TAG: record.run_id}]
        if _ID_TAG in record.tags:
            queries.append({_ID_TAG: record.tags[_ID_TAG]})
        reused = _recorded_run_ids(store, record)
    runs = [run for tags in queries for run in store.find_runs(tags, everywhere=True)]
    jobs = {run.run_id: run for run in runs if run.tags.get("frostline.kind") != "sweep"}
    for run_id in reused:
        if run_id not in jobs:
            with suppress(TrackingError):  # deleted since
                jobs[run_id] = store.get_run(run_id)
    if record is None and not jobs:
        raise _no_such_sweep(store, sweep, sweeps)
    return list(jobs.values())


def _all_sweeps(store: Reader) -> list[RunRecord]:
    return store.find_runs({"frostline.kind": "sweep"}, everywhere=True)


def _best_match(sweeps: Sequence[RunRecord], sweep: str) -> RunRecord | None:
    names_of = [(run, (run.tags.get(_ID_TAG, ""), run.run_id, run.name)) for run in sweeps]
    whole = [run for run, names in names_of if sweep in names]
    begun = [run for run, names in names_of if any(name.startswith(sweep) for name in names)]
    return next(iter([*whole, *begun]), None) if sweep else None


def _no_such_sweep(store: Reader, sweep: str, sweeps: Sequence[RunRecord]) -> TrackingError:
    where = store.address.shown
    if not sweeps:
        return TrackingError(
            f"there is no sweep in {where}", todo="run one: python -m src.train -m freeze=0,2,4"
        )
    newest = ", ".join(run.tags.get(_ID_TAG, run.name) for run in sweeps[:_MAX_SHOWN])
    return TrackingError(
        f"sweep {sweep}: there is no such sweep in {where}", f"one of the last sweeps: {newest}"
    )


def _recorded_run_ids(store: Reader, sweep: RunRecord) -> list[str]:
    """Ids of all runs that count for a sweep, as it recorded them when it ended."""
    try:
        text = store.fetch_artifact(sweep.run_id, RUNS_FILE).read_text(encoding="utf-8")
        return [str(run_id) for run_id in json.loads(text)]
    except (TrackingError, OSError, ValueError, TypeError):
        return []
