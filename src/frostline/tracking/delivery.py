"""Sending journal entries to the store so that sending them twice changes nothing."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frostline.tracking.journal import Entry
from frostline.tracking.records import PARENT_TAG
from frostline.tracking.store_errors import is_final, is_missing

if TYPE_CHECKING:
    from mlflow import MlflowClient

BATCHED = ("metrics", "params", "tags")
PARAM_MAX_CHARS = 6000
TAG_MAX_CHARS = 8000
DATASET_DIGEST_MAX_CHARS = 36
DATASET_PROFILE_MAX_CHARS = 16_000_000
_LIVE = ("RUNNING", "SCHEDULED")


class ParentPendingError(Exception):
    """A job's run cannot be told before its sweep's run is in the store."""


def send(client: "MlflowClient", run_id: str, entry: Entry) -> None:
    """Send one entry; every kind may be sent again without a second row.

    Metrics carry the time at which they were measured, and MLflow keeps one row for each
    (run, metric, step, time, value). Parameters, tags, files and states replace themselves.

    Raises:
        MlflowException: If the store refuses or is away.
        OSError: If a file cannot be read or written.
        ParentPendingError: If it names a sweep's run that is not in the store yet.
    """
    from mlflow.entities import Metric, Param, RunTag

    match entry["op"]:
        case "metrics":
            rows = [
                Metric(key, float(value), int(entry["t"]), int(entry["step"]))
                for key, value in entry["values"].items()
            ]
            client.log_batch(run_id, metrics=rows)
        case "params":
            client.log_batch(run_id, params=[Param(k, v) for k, v in entry["values"].items()])
        case "tags":
            tags = _with_known_parent(client, entry["values"])
            client.log_batch(run_id, tags=[RunTag(k, v) for k, v in tags.items()])
        case "artifact":
            client.log_artifact(run_id, entry["file"], entry["folder"] or None)
        case "text":
            client.log_text(run_id, entry["text"], entry["path"])
        case "untag":
            try:
                client.delete_tag(run_id, entry["key"])
            except Exception as error:
                if not is_missing(error):
                    raise
        case "dataset":
            client.log_inputs(run_id, [_dataset_input(entry)])
        case "status":
            if entry["status"] in _LIVE:
                client.update_run(run_id, status=entry["status"])
            else:
                client.set_terminated(run_id, entry["status"], int(entry["t"]))


def send_batch(client: "MlflowClient", run_id: str, entries: Sequence[Entry]) -> None:
    """Send entries of the kinds in BATCHED as one; the store takes all of them or none.

    Raises:
        MlflowException: If the store refuses, is away, or takes fewer at once.
    """
    from mlflow.entities import Metric, Param, RunTag

    texts: dict[str, dict[str, str]] = {"params": {}, "tags": {}}
    metrics = []
    for entry in entries:
        if entry["op"] == "metrics":
            metrics += [
                Metric(key, float(value), int(entry["t"]), int(entry["step"]))
                for key, value in entry["values"].items()
            ]
        else:
            texts[entry["op"]] |= entry["values"]
    client.log_batch(
        run_id,
        metrics=metrics,
        params=[Param(key, value) for key, value in texts["params"].items()],
        tags=[RunTag(key, value) for key, value in texts["tags"].items()],
    )


def _dataset_input(entry: Entry) -> Any:
    """A data set as MLflow keeps it; the same one logged again replaces itself."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    profile = json.dumps(entry["profile"])
    dataset = Dataset(
        name=entry["name"],
        digest=entry["digest"][:DATASET_DIGEST_MAX_CHARS],
        source_type="frostline",
        source=json.dumps({"source": entry["source"]}),
        profile=profile if len(profile) <= DATASET_PROFILE_MAX_CHARS else None,
    )
    return DatasetInput(dataset, tags=[InputTag("mlflow.data.context", "training")])


def logged_points(client: "MlflowClient", run_id: str, keys: Iterable[str]) -> set[tuple[str, int]]:
    """The (metric, step) pairs that a run has in the store."""
    return {
        (key, int(point.step)) for key in keys for point in client.get_metric_history(run_id, key)
    }


def without_logged(entry: Entry, logged: set[tuple[str, int]]) -> Entry:
    """An entry of metrics less what the store has for that step; other entries as they are."""
    if entry["op"] != "metrics":
        return entry
    step = int(entry["step"])
    values = {key: value for key, value in entry["values"].items() if (key, step) not in logged}
    return {**entry, "values": values}


def metric_keys(entries: Iterable[Entry]) -> set[str]:
    """All metric names in these entries."""
    return {key for entry in entries if entry["op"] == "metrics" for key in entry["values"]}


def create_run(client: "MlflowClient", experiment_id: str, local_id: str, entry: Entry) -> str:
    """Make the run that was begun without the store, unless an earlier try has made it.

    Returns:
        MLflow's id of the run.

    Raises:
        ParentPendingError: If its sweep's run is not in the store yet.
    """
    found = find_local(client, local_id)
    if found is not None:
        return found
    tags = _with_known_parent(client, entry["tags"]) | {"frostline.local_id": local_id}
    run = client.create_run(experiment_id, int(entry["t"]), tags, entry["name"])
    return str(run.info.run_id)


def _with_known_parent(client: "MlflowClient", tags: Mapping[str, str]) -> dict[str, str]:
    """Tags whose sweep's run, where they name one, goes by MLflow's id."""
    parent = tags.get(PARENT_TAG, "")
    if not is_local(parent):
        return dict(tags)
    known = find_local(client, parent)
    if known is None:
        raise ParentPendingError(parent)
    return {**tags, PARENT_TAG: known}


def is_local(run_id: str) -> bool:
    """Whether an id was given by us because the store could not."""
    return run_id.startswith("offline-")


def find_local(client: "MlflowClient", local_id: str) -> str | None:
    """MLflow's id of a run that was begun without the store; None if it is not there yet."""
    experiments = [item.experiment_id for item in client.search_experiments()]
    if not experiments:
        return None
    found = client.search_runs(
        experiments, f"tags.`frostline.local_id` = '{local_id}'", max_results=1
    )
    return str(found[0].info.run_id) if found else None


def send_all(
    client: "MlflowClient",
    run_id: str,
    entries: list[Entry],
    *,
    check_history: bool,
    on_refused: Callable[[Entry, BaseException], None],
    done: Callable[[int], None],
) -> None:
    """Send entries in their order, telling after each how many are done.

    Args:
        client: The store's client.
        run_id: MLflow's id of the run.
        entries: What to send.
        check_history: Ask first which steps the store has, and leave those out.
        on_refused: Told of an entry that can never be accepted; it is then left out.
        done: Told the number of entries that need not be sent again.

    Raises:
        Exception: Whatever the store raises for a reason that may pass.
    """
    logged = logged_points(client, run_id, metric_keys(entries)) if check_history else set()
    for position, entry in enumerate(entries):
        try:
            send(client, run_id, without_logged(entry, logged))
        except FileNotFoundError as error:
            on_refused(entry, error)
        except Exception as error:
            if not is_final(error) or (is_missing(error) and entry["op"] == "status"):
                raise
            on_refused(entry, error)
        done(position + 1)


def as_text(values: dict[str, Any], limit_chars: int) -> tuple[dict[str, str], list[str]]:
    """Values as MLflow stores them, and the names of those that had to be cut."""
    texts = {key: "null" if value is None else str(value) for key, value in values.items()}
    cut = [key for key, text in texts.items() if len(text) > limit_chars]
    return {key: text[:limit_chars] for key, text in texts.items()}, cut


def artifact_entry(path: Path, folder: str) -> Entry:
    """The entry of one file or folder."""
    return {"op": "artifact", "file": str(path), "folder": folder}
