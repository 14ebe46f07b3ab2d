"""Finding sweeps and runs by what people call them: an id, a name, or the best run of a sweep."""

import difflib
import json
import logging
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Literal

from frostline.errors import TrackingError
from frostline.tracking.reader import Reader
from frostline.tracking.records import CELL, KIND_TAG, PARENT_TAG, RunRecord
from frostline.tracking.report_mark import is_marked
from frostline.tracking.run_contents import read_config

ALLOWED = (
    "a run id or the beginning of one, a run's name, best:SWEEP, or the path of a local checkpoint"
)
RUNS_FILE = "runs.json"
PLAN_FILE = "plan.json"
VERDICT_FILE = "report/verdict.json"
_ID_TAG = "frostline.sweep_id"
_MAX_SWEEPS_SHOWN = 8
_MAX_RUNS_SHOWN = 5
_BEST = "best:"
LATEST = "latest"
_MIN_ID_CHARS = 4
_log = logging.getLogger(__name__)


def find_sweep(store: Reader, sweep: str = "") -> RunRecord:
    """The run of a sweep, looked for in all experiments.

    Args:
        store: Where to look.
        sweep: The sweep's id, or the id or the name of its run, or how one of these begins; empty
            or `latest` for the newest sweep. A whole id or name counts before a beginning, and of
            several sweeps the newest is taken.

    Raises:
        TrackingError: If there is no such sweep.
    """
    sweeps = _all_sweeps(store)
    record = sweeps[0] if sweeps and sweep in {"", LATEST} else _best_match(sweeps, sweep)
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
    jobs = {run.run_id: run for run in runs if run.tags.get(KIND_TAG) not in {"sweep", CELL}}
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
    newest = ", ".join(run.tags.get(_ID_TAG, run.name) for run in sweeps[:_MAX_SWEEPS_SHOWN])
    return TrackingError(
        f"sweep {sweep}: there is no such sweep in {where}", f"one of the last sweeps: {newest}"
    )


def _recorded_run_ids(store: Reader, sweep: RunRecord) -> list[str]:
    """Ids of the runs that count for a sweep: of its plan, and as it recorded them at its end.

    A sweep that runs, or was killed, has its plan alone: the runs of others that answer its jobs.
    """
    planned = _content(store, sweep, PLAN_FILE, {}).get("jobs", [])
    ended = _content(store, sweep, RUNS_FILE, [])
    ids = [*(job.get("run_id", "") for job in planned), *ended]
    return list(dict.fromkeys(str(run_id) for run_id in ids if run_id))


def _content(store: Reader, sweep: RunRecord, name: str, without: Any) -> Any:
    """A JSON file of a sweep; `without` where there is none, or a damaged one, which is named."""
    try:
        content = json.loads(store.fetch_artifact(sweep.run_id, name).read_text(encoding="utf-8"))
    except (TrackingError, OSError):
        return without
    except ValueError:
        content = None
    if isinstance(content, type(without)):
        return content
    _log.warning(
        "%s of %s is damaged: runs of other sweeps that answer its jobs may be missing",
        name,
        sweep.name,
    )
    return without


def find_run(store: Reader, run: str) -> RunRecord:
    """Find one run in all experiments of a store.

    Args:
        store: Where to look.
        run: A run id or the beginning of one, a run's name, or `best:SWEEP`.

    Raises:
        TrackingError: If there is none (the message has the nearest names), or more than one.
    """
    return find_run_of_seeds(store, run)[0]


def find_run_of_seeds(store: Reader, run: str) -> tuple[RunRecord, int]:
    """Find one run as `find_run` does, and say among how many seeds `best:` has chosen it.

    Args:
        store: Where to look.
        run: As for `find_run`.

    Returns:
        The run; the number of finished seeds of the configuration that its sweep recommends, 1 for
        a run that was named itself or where nothing is recommended.

    Raises:
        TrackingError: As `find_run`.
    """
    if run.startswith(_BEST):
        return _best_and_seeds(store, run.removeprefix(_BEST))
    return _named_run(store, run), 1


def _named_run(store: Reader, run: str) -> RunRecord:
    everything = store.find_runs({}, everywhere=True)
    runs = [record for record in everything if record.tags.get(KIND_TAG) != CELL]
    _refuse_cell(run, [record for record in everything if record.tags.get(KIND_TAG) == CELL])
    can_be_id = len(run) >= _MIN_ID_CHARS
    runs = [record for record in runs if record.tags.get(KIND_TAG) != "sweep"]
    for matching in (
        [record for record in runs if record.run_id == run],
        [record for record in runs if record.name == run],
        [record for record in runs if can_be_id and record.run_id.startswith(run)],
    ):
        if len(matching) == 1:
            return matching[0]
        if matching:
            raise TrackingError(
                f"{run}: {len(matching)} runs are called that:\n{_listed(matching)}",
                todo="give the id of one of them",
            )
    _refuse_sweep(run, everything)
    names = list(dict.fromkeys(record.name for record in runs))
    near = (
        difflib.get_close_matches(run, names, n=_MAX_RUNS_SHOWN, cutoff=0.5)
        or names[:_MAX_RUNS_SHOWN]
    )
    nearest = f"; nearest: {', '.join(near)}" if near else ", which has no runs at all"
    raise TrackingError(f"{run}: there is no such run in {store.address.shown}{nearest}", ALLOWED)


def _refuse_cell(run: str, cells: Sequence[RunRecord]) -> None:
    """Say what to take in the place of a row about a cell, which has no model of its own."""
    for cell in cells:
        if run in {cell.run_id, cell.name}:
            raise TrackingError(
                f"{run}: {cell.name} is the row of a configuration over its seeds, not a run",
                "one of its runs: " + cell.tags.get("frostline.cell_runs", "").replace(",", ", "),
            )


def _refuse_sweep(run: str, records: Sequence[RunRecord]) -> None:
    """Say how the best run of a sweep is named, where a sweep is given in the place of a run."""
    sweep = _best_match([one for one in records if one.tags.get(KIND_TAG) == "sweep"], run)
    if sweep is not None and len(run) >= _MIN_ID_CHARS:
        name = sweep.tags.get(_ID_TAG, sweep.run_id)
        raise TrackingError(f"{run}: that is a sweep, not a run", f"its best run: {_BEST}{name}")


def best_of_sweep(store: Reader, sweep: str) -> RunRecord:
    """The run of a sweep's recommended configuration that is best on validation.

    The recommendation is that of the report on the sweep's run. Where there is none, it is of other
    runs than have finished by now, or its runs are gone, the best run of all is taken, and a
    warning says so.

    Args:
        store: Where to look.
        sweep: The sweep's id, or the id or the name of its run, or how one of these begins; empty
            or `latest` for the newest sweep.

    Raises:
        TrackingError: If there is no such sweep, or none of its jobs has finished.
    """
    return _best_and_seeds(store, sweep)[0]


def _best_and_seeds(store: Reader, sweep: str) -> tuple[RunRecord, int]:
    if sweep in {"", LATEST}:
        newest = find_sweep(store)
        sweep = newest.tags.get(_ID_TAG, newest.run_id)
    jobs = jobs_of_sweep(store, sweep)
    finished = [job for job in jobs if job.is_whole]
    if not finished:
        raise TrackingError(
            f"{_BEST}{sweep}: none of its {len(jobs)} jobs has finished",
            todo="give the same command again to finish the sweep",
        )
    wanted, why = _recommended_run_ids(store, sweep, finished)
    recommended = [job for job in finished if job.run_id in wanted]
    if not recommended:
        why = why or "its recommended runs are gone"
        _log.warning(
            "%s%s: %s, so this is the run that is highest on validation; "
            "python -m src.report --sweep %s recommends a configuration",
            *(_BEST, sweep, why, sweep),
        )
    callbacks = read_config(store, finished[0]).get("callbacks", {})
    monitor = str(callbacks.get("monitor", "val/f1_macro"))
    mode: Literal["max", "min"] = "min" if callbacks.get("mode") == "min" else "max"
    best = best_of(recommended or finished, f"val_best/{monitor.partition('/')[2]}", mode)
    return best, max(1, len(recommended))


def _recommended_run_ids(
    store: Reader, sweep: str, finished: Sequence[RunRecord]
) -> tuple[set[str], str]:
    """The runs of the configuration that the report of a sweep recommends, or why there are none.

    Args:
        store: Where the sweep is.
        sweep: Its id, or the id or the name of its run.
        finished: Its runs that are whole.
    """
    without = "it has no report on its run"
    record = _best_match(_all_sweeps(store), sweep)
    if record is None:
        return set(), without
    try:
        text = store.fetch_artifact(record.run_id, VERDICT_FILE).read_text(encoding="utf-8")
        run_ids = {str(run_id) for run_id in json.loads(text)["recommended"]["run_ids"].values()}
    except (TrackingError, OSError, ValueError, TypeError, KeyError, AttributeError):
        return set(), without
    if not is_marked(record.tags, [run.run_id for run in finished]):
        return (
            set(),
            "its report is of other runs than have finished by now, or was not written whole",
        )
    return run_ids, ""


def best_of(records: Sequence[RunRecord], metric: str, mode: Literal["max", "min"]) -> RunRecord:
    """The best run by one metric; of equal ones that of lower validation loss, then the older.

    Raises:
        TrackingError: If no run has the metric.
    """
    sign = 1.0 if mode == "min" else -1.0
    # A value that is not equal to itself is NaN, and never best.
    scored = [r for r in records if metric in r.metrics and r.metrics[metric] == r.metrics[metric]]
    if not scored:
        raise TrackingError(f"none of {len(records)} runs has the metric {metric}")

    def rank(record: RunRecord) -> tuple[float, float, int]:
        loss = record.metrics.get("val_best/loss", float("inf"))
        return sign * record.metrics[metric], loss, record.start_ms

    return min(scored, key=rank)


def _listed(records: Sequence[RunRecord]) -> str:
    lines = [
        f"  {record.run_id}  {_date(record.start_ms)}  {record.status}"
        for record in records[:_MAX_RUNS_SHOWN]
    ]
    more = len(records) - _MAX_RUNS_SHOWN
    return "\n".join([*lines, f"  and {more} more"] if more > 0 else lines)


def _date(time_ms: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(time_ms / 1000))
