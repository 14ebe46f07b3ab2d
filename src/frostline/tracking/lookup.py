"""Finding runs by what people call them: an id, a name, or the best run of a sweep."""

import difflib
import time
from collections.abc import Sequence
from typing import Literal

from frostline.errors import TrackingError
from frostline.tracking.reader import Reader
from frostline.tracking.records import RunRecord
from frostline.tracking.stored_config import read_config
from frostline.tracking.sweeps import jobs_of_sweep

ALLOWED = (
    "a run id or the beginning of one, a run's name, best:SWEEP, or the path of a local checkpoint"
)
_BEST = "best:"
_MIN_ID_CHARS = 4
_MAX_SHOWN = 5


def find_run(store: Reader, run: str) -> RunRecord:
    """Find one run in all experiments of a store.

    Args:
        store: Where to look.
        run: A run id or the beginning of one, a run's name, or `best:SWEEP`.

    Raises:
        TrackingError: If there is none (the message has the nearest names), or more than one.
    """
    if run.startswith(_BEST):
        return best_of_sweep(store, run.removeprefix(_BEST))
    runs = store.find_runs({}, everywhere=True)
    can_be_id = len(run) >= _MIN_ID_CHARS
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
    names = list(dict.fromkeys(record.name for record in runs))
    near = difflib.get_close_matches(run, names, n=_MAX_SHOWN, cutoff=0.5) or names[:_MAX_SHOWN]
    nearest = f"; nearest: {', '.join(near)}" if near else ", which has no runs at all"
    raise TrackingError(f"{run}: there is no such run in {store.address.shown}{nearest}", ALLOWED)


def best_of_sweep(store: Reader, sweep: str) -> RunRecord:
    """The finished job of a sweep that is best on validation, by the sweep's own monitor.

    Args:
        store: Where to look.
        sweep: The sweep's id, or the id or the name of its run, or how one of these begins.

    Raises:
        TrackingError: If there is no such sweep, or none of its jobs has finished.
    """
    jobs = jobs_of_sweep(store, sweep)
    finished = [job for job in jobs if job.status == "FINISHED"]
    if not finished:
        raise TrackingError(
            f"{_BEST}{sweep}: none of its {len(jobs)} jobs has finished",
            todo="give the same command again to finish the sweep",
        )
    callbacks = read_config(store, finished[0]).get("callbacks", {})
    monitor = str(callbacks.get("monitor", "val/f1_macro"))
    mode: Literal["max", "min"] = "min" if callbacks.get("mode") == "min" else "max"
    return best_of(finished, f"val_best/{monitor.partition('/')[2]}", mode)


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
        for record in records[:_MAX_SHOWN]
    ]
    more = len(records) - _MAX_SHOWN
    return "\n".join([*lines, f"  and {more} more"] if more > 0 else lines)


def _date(time_ms: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(time_ms / 1000))
