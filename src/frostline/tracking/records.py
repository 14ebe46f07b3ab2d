"""A recorded run as plain values, without MLflow's classes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from frostline.tracking.journal_file import Entry

ENDED = ("FINISHED", "FAILED", "KILLED")
PARENT_TAG = "mlflow.parentRunId"
# Which kind of source a run's images come from: leaves, folder, csv, archive or hub.
DATA_SOURCE = "frostline.data_source"
# What a run is: `job`, `sweep`, or a row about one cell of a sweep.
KIND_TAG, CELL = "frostline.kind", "cell"
# On a sweep's run: the names of the tags that the user gave to all its runs.
USER_TAGS = "frostline.user_tags"
# On a sweep's run: the rounds of a race, as `frostline.sweeps.race` records them.
RACE_FILE = "race.json"
# On a job's run: why a race trained it no further; and why it waits, where it does.
DROPPED = "frostline.dropped"
WAITS = "frostline.waits"
# On a job's run: how its head was solved exactly, where it was not trained.
SOLVER = "frostline.head_solver"


@dataclass(frozen=True)
class RunRecord:
    """A run as the store, or the journal of a run not yet delivered, has it.

    Attributes:
        run_id: MLflow's id, or `offline-...` for a run that the store does not have yet.
        name: The run's name.
        experiment: The experiment's name.
        status: RUNNING, SCHEDULED, FINISHED, FAILED or KILLED.
        params: Parameters as text.
        metrics: The last value of each metric.
        tags: All tags, MLflow's own included.
        start_ms: Start, in milliseconds since 1970.
        end_ms: End, in milliseconds since 1970; None while it runs.
        artifact_uri: Where its artifacts lie; empty while the run is in a journal only.
    """

    run_id: str
    name: str
    experiment: str
    status: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    start_ms: int
    end_ms: int | None
    artifact_uri: str = ""

    @property
    def duration_s(self) -> float | None:
        """Seconds from start to end; None while it runs."""
        return None if self.end_ms is None else (self.end_ms - self.start_ms) / 1000

    @property
    def is_whole(self) -> bool:
        """Whether it is finished with all its epochs: no race dropped it before."""
        return self.status == "FINISHED" and DROPPED not in self.tags

    @property
    def parent_run_id(self) -> str | None:
        """The run of the sweep, if this is one of its jobs."""
        return self.tags.get(PARENT_TAG)


@dataclass(frozen=True)
class MetricPoint:
    """One value of one metric.

    Attributes:
        step: The epoch, from 0.
        value: The value.
        time_ms: When it was logged, in milliseconds since 1970.
    """

    step: int
    value: float
    time_ms: int


@dataclass
class _Values:
    """What entries change; metrics are name to (step, time in milliseconds, value)."""

    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, tuple[int, int, float]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


def apply_entries(
    run_id: str, entries: Iterable[Entry], onto: RunRecord | None = None
) -> RunRecord | None:
    """A run as it is when the entries of its journal are delivered.

    Args:
        run_id: The run.
        entries: Its journal.
        onto: The run as the store has it; None if the store does not have it.

    Returns:
        None if the journal does not begin with the run's creation and `onto` is not given.
    """
    values = _Values()
    info: dict[str, Any] = {"run_id": run_id}
    if onto is not None:
        info |= {
            "name": onto.name,
            "experiment": onto.experiment,
            "status": onto.status,
            "start_ms": onto.start_ms,
            "end_ms": onto.end_ms,
            "artifact_uri": onto.artifact_uri,
        }
        values.params |= onto.params
        values.tags |= onto.tags
        values.metrics |= {key: (-1, 0, value) for key, value in onto.metrics.items()}
    for entry in entries:
        _apply(entry, info, values)
    if "name" not in info:
        return None
    last = {key: point[2] for key, point in values.metrics.items()}
    return RunRecord(params=values.params, metrics=last, tags=values.tags, **info)


def _apply(entry: Entry, info: dict[str, Any], values: _Values) -> None:
    match entry["op"]:
        case "create":
            info |= {
                "name": entry["name"],
                "experiment": entry["experiment"],
                "status": "RUNNING",
                "start_ms": entry["t"],
                "end_ms": None,
            }
            values.tags |= entry["tags"]
        case "params":
            values.params |= entry["values"]
        case "tags":
            values.tags |= entry["values"]
        case "untag":
            values.tags.pop(entry["key"], None)
        case "metrics":
            for key, value in entry["values"].items():
                point = (entry["step"], entry["t"], value)
                if key not in values.metrics or values.metrics[key][:2] <= point[:2]:
                    values.metrics[key] = point
        case "status":
            info["status"] = entry["status"]
            info["end_ms"] = entry["t"] if entry["status"] in ENDED else None


def matches(record: RunRecord, tags: Mapping[str, str], status: Iterable[str] | None) -> bool:
    """Whether a run carries all these tags and has one of these states."""
    has_tags = all(record.tags.get(key) == value for key, value in tags.items())
    return has_tags and (status is None or record.status in set(status))
