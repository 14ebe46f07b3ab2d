"""From what a person calls a run to its config, its checkpoint and its figures."""

import difflib
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from frostline.errors import TrackingError
from frostline.tracking.reader import Reader
from frostline.tracking.records import PARENT_TAG, RunRecord

CHECKPOINT = "checkpoints/best.ckpt"
CONFIG = "config.yaml"
RUNS = "runs.json"
_ALLOWED = (
    "a run id or the beginning of one, a run's name, best:SWEEP, or the path of a local checkpoint"
)
_SHOWN = 5


@dataclass(frozen=True)
class Restored:
    """What is needed to build a run's model and data again.

    Attributes:
        record: The run; None for a checkpoint that was given by its path.
        config: The composed config; None if a checkpoint's path has no config.yaml near it.
        checkpoint: Local path of the best checkpoint.
        metrics: The last value of each metric; empty for a checkpoint given by its path.
    """

    record: RunRecord | None
    config: dict[str, Any] | None
    checkpoint: Path
    metrics: Mapping[str, float]


def restore(store: Reader, run: str, *, into: Path | None = None) -> Restored:
    """Find a run and fetch its config and its best checkpoint.

    Args:
        store: Where to look; all its experiments are searched.
        run: A run id or the beginning of one, a run's name, `best:SWEEP`, or a checkpoint's path.
        into: Folder for a checkpoint that must be downloaded; None means a temporary one.

    Raises:
        TrackingError: If there is no such run, or several, or it has no checkpoint.
    """
    if is_checkpoint_path(run):
        return restore_file(Path(run).expanduser())
    record = find_run(store, run)
    config = read_config(store, record, into)
    checkpoint = store.fetch_artifact(record.run_id, CHECKPOINT, into)
    return Restored(record, config, checkpoint, record.metrics)


def is_checkpoint_path(run: str) -> bool:
    """Whether this names a file rather than a run.

    Raises:
        TrackingError: If it is an address: nothing is fetched from the network.
    """
    if "://" in run:
        raise TrackingError(
            f"{run}: a checkpoint from an address could run any code, so none is fetched",
            _ALLOWED,
            "download the file yourself from a source that you trust, and give its path",
        )
    return run.endswith(".ckpt") or "/" in run or Path(run).is_file()


def restore_file(path: Path) -> Restored:
    """Restore from a checkpoint file, with the config.yaml beside it or one folder up.

    Raises:
        TrackingError: If there is no such file.
    """
    if not path.is_file():
        near = sorted(item.name for item in path.parent.glob("*.ckpt"))
        seen = f"that folder has: {', '.join(near)}" if near else ""
        raise TrackingError(f"{path}: there is no such checkpoint", seen or _ALLOWED)
    for folder in (path.parent, path.parent.parent):
        if (folder / CONFIG).is_file():
            return Restored(None, _load(folder / CONFIG), path, {})
    return Restored(None, None, path, {})


def find_run(store: Reader, run: str) -> RunRecord:
    """Find the one run that is meant.

    Raises:
        TrackingError: If there is none (the nearest names are told), or more than one.
    """
    if run.startswith("best:"):
        return best_of_sweep(store, run.removeprefix("best:"))
    runs = store.find_runs({}, everywhere=True)
    for found in (
        [record for record in runs if record.run_id == run],
        [record for record in runs if record.name == run],
        [record for record in runs if len(run) >= 4 and record.run_id.startswith(run)],
    ):
        if len(found) == 1:
            return found[0]
        if found:
            raise TrackingError(
                f"{run}: {len(found)} runs are called that:\n{_listed(found)}",
                todo="give the id of one of them",
            )
    names = list(dict.fromkeys(record.name for record in runs))
    near = difflib.get_close_matches(run, names, n=_SHOWN, cutoff=0.5) or names[:_SHOWN]
    where = f"there is no such run in {store.address.shown}"
    nearest = f"; nearest: {', '.join(near)}" if near else ", which has no runs at all"
    raise TrackingError(f"{run}: {where}{nearest}", _ALLOWED)


def best_of_sweep(store: Reader, sweep: str) -> RunRecord:
    """The finished job of a sweep that is best on validation, by the sweep's own monitor.

    Args:
        store: Where to look.
        sweep: The sweep's id, or the id or the name of its parent run.

    Raises:
        TrackingError: If there is no such sweep, or none of its jobs has finished.
    """
    jobs = jobs_of_sweep(store, sweep)
    finished = [job for job in jobs if job.status == "FINISHED"]
    if not finished:
        raise TrackingError(
            f"best:{sweep}: none of its {len(jobs)} jobs has finished",
            todo="give the same command again to finish the sweep",
        )
    callbacks = read_config(store, finished[0]).get("callbacks", {})
    monitor = str(callbacks.get("monitor", "val/f1_macro"))
    mode: Literal["max", "min"] = "min" if callbacks.get("mode") == "min" else "max"
    return best_of(finished, f"val_best/{monitor.partition('/')[2]}", mode)


def jobs_of_sweep(store: Reader, sweep: str) -> list[RunRecord]:
    """The runs of a sweep: its own, and those of earlier sweeps that answered for some of its jobs.

    Args:
        store: Where to look.
        sweep: The sweep's id, or the id or the name of its parent run.

    Raises:
        TrackingError: If there is no such sweep.
    """
    sweeps = store.find_runs({"frostline.kind": "sweep"}, everywhere=True)
    meant = [
        parent
        for parent in sweeps
        if sweep in {parent.run_id, parent.name, parent.tags.get("frostline.sweep_id")}
    ]
    wanted = [{PARENT_TAG: parent.run_id} for parent in meant[:1]]
    own = [*wanted, {"frostline.sweep_id": sweep}]
    jobs = [job for tags in own for job in store.find_runs(tags, everywhere=True)]
    found = {job.run_id: job for job in jobs if job.tags.get("frostline.kind") != "sweep"}
    for run_id in _answering(store, meant[0]) if meant else []:
        if run_id not in found:
            with suppress(TrackingError):  # deleted since
                found[run_id] = store.get_run(run_id)
    if not found and not meant:
        known = [parent.tags.get("frostline.sweep_id", parent.run_id) for parent in sweeps]
        raise TrackingError(
            f"best:{sweep}: there is no such sweep in {store.address.shown}",
            f"one of the last sweeps: {', '.join(known[:_SHOWN])}" if known else "",
        )
    return list(found.values())


def _answering(store: Reader, parent: RunRecord) -> list[str]:
    """Ids of all runs that answered a sweep, as it noted them when it ended."""
    try:
        text = store.fetch_artifact(parent.run_id, RUNS).read_text(encoding="utf-8")
        return [str(run_id) for run_id in json.loads(text)]
    except (TrackingError, OSError, ValueError, TypeError):
        return []


def best_of(records: Sequence[RunRecord], metric: str, mode: Literal["max", "min"]) -> RunRecord:
    """The best run by one metric; among equals the one of lower validation loss, then the older.

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


def read_config(store: Reader, record: RunRecord, into: Path | None = None) -> dict[str, Any]:
    """The composed config that a run was started with.

    Raises:
        TrackingError: If the run has none, or it cannot be read.
    """
    return _load(store.fetch_artifact(record.run_id, CONFIG, into))


def _load(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise TrackingError(f"{path} cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise TrackingError(f"{path} is not a config of a run")
    return values


def _listed(records: Sequence[RunRecord]) -> str:
    lines = [
        f"  {record.run_id}  {_date(record.start_ms)}  {record.status}"
        for record in records[:_SHOWN]
    ]
    more = len(records) - _SHOWN
    return "\n".join([*lines, f"  and {more} more"] if more > 0 else lines)


def _date(time_ms: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(time_ms / 1000))
