"""Sending journal entries to the store, so that sending them twice changes nothing."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frostline.tracking.journal_file import Entry
from frostline.tracking.linked_files import linked, written
from frostline.tracking.machinery import MACHINERY, MACHINERY_TAG, folded
from frostline.tracking.offline_runs import with_stored_parent
from frostline.tracking.store_errors import is_final, is_missing

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

BATCHED = ("metrics", "params", "tags")
PARAM_MAX_CHARS = 6000
TAG_MAX_CHARS = 8000
DATASET_DIGEST_MAX_CHARS = 36
DATASET_PROFILE_MAX_CHARS = 16_000_000
_LIVE = ("RUNNING", "SCHEDULED")


class RunGoneError(Exception):
    """The store has no such run any more, so that it can take none of its entries."""


@dataclass
class OwnTags:
    """What the store has of a run's folded tags, as far as the run's owner knows.

    Only a run's owner writes them.

    Attributes:
        text: The tag; None if it has to be read first.
    """

    text: str | None = None

    def folded(self, client: "MlflowClient", run_id: str, tags: dict[str, str]) -> dict[str, str]:
        """Tags as the store has them."""
        if not MACHINERY & set(tags):
            return tags
        before = self.text
        if before is None:
            before = client.get_run(run_id).data.tags.get(MACHINERY_TAG, "")
        return folded(tags, before)

    def sent(self, tags: Mapping[str, str]) -> None:
        """Note what the store has now."""
        self.text = tags.get(MACHINERY_TAG, self.text)


def send(client: "MlflowClient", run_id: str, entry: Entry, own: OwnTags | None = None) -> None:
    """Send one entry; sending it again adds no second row.

    Metrics carry the time at which they were measured, and MLflow keeps one row for each
    (run, metric, step, time, value). Parameters, tags, files and states replace themselves.

    Args:
        client: The store's client.
        run_id: MLflow's id of the run.
        entry: What to send.
        own: What is known of the run's folded tags.

    Raises:
        MlflowException: If the store refuses the entry or does not answer.
        OSError: If a file cannot be read or written.
        ParentPendingError: If it names the run of a sweep that is not in the store yet.
    """
    from mlflow.entities import Param, RunTag

    match entry["op"]:
        case "metrics":
            client.log_batch(run_id, metrics=_metric_rows(entry))
        case "params":
            client.log_batch(run_id, params=[Param(k, v) for k, v in entry["values"].items()])
        case "tags":
            own = own or OwnTags()
            tags = own.folded(client, run_id, with_stored_parent(client, entry["values"]))
            client.log_batch(run_id, tags=[RunTag(k, v) for k, v in tags.items()])
            own.sent(tags)
        case "artifact":
            if not linked(client, run_id, Path(entry["file"]), entry["folder"]):
                client.log_artifact(run_id, entry["file"], entry["folder"] or None)
        case "text":
            if not written(client, run_id, entry["text"], entry["path"]):
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


def send_batch(client: "MlflowClient", run_id: str, entries: Sequence[Entry], own: OwnTags) -> None:
    """Send entries of the kinds in BATCHED in one request; the store takes all of them or none.

    Args:
        client: The store's client.
        run_id: MLflow's id of the run.
        entries: What to send.
        own: What is known of the run's folded tags.

    Raises:
        MlflowException: If the store refuses them, does not answer, or takes fewer at once.
    """
    from mlflow.entities import Param, RunTag

    texts: dict[str, dict[str, str]] = {"params": {}, "tags": {}}
    metrics: list[Metric] = []
    for entry in entries:
        if entry["op"] == "metrics":
            metrics += _metric_rows(entry)
        else:
            texts[entry["op"]] |= entry["values"]
    tags = own.folded(client, run_id, texts["tags"])
    client.log_batch(
        run_id,
        metrics=metrics,
        params=[Param(key, value) for key, value in texts["params"].items()],
        tags=[RunTag(key, value) for key, value in tags.items()],
    )
    own.sent(tags)


def send_all(
    client: "MlflowClient",
    run_id: str,
    entries: Sequence[Entry],
    *,
    on_refused: Callable[[Entry, BaseException], None],
) -> Iterator[int]:
    """Send entries in their order, without the metrics that the store has already.

    Args:
        client: The store's client.
        run_id: MLflow's id of the run.
        entries: What to send.
        on_refused: Called with an entry that the store can never accept; it is then passed over.

    Yields:
        After each entry, how many of them need not be sent again.

    Raises:
        RunGoneError: If the run was deleted.
        Exception: Any error of the store that may be temporary.
    """
    try:
        logged = logged_points(client, run_id, _metric_names(entries))
    except Exception as error:
        raise_if_gone(client, run_id, error)
        raise
    for count, entry in enumerate(entries, start=1):
        try:
            send(client, run_id, _without_logged(entry, logged))
        except FileNotFoundError as error:
            on_refused(entry, error)
        except Exception as error:
            if not is_final(error):
                raise
            raise_if_gone(client, run_id, error)
            on_refused(entry, error)
        yield count


def raise_if_gone(client: "MlflowClient", run_id: str, error: BaseException) -> None:
    """Find out whether a request was refused because the run is gone.

    Raises:
        RunGoneError: If the run was deleted, or the store has never had it.
    """
    if not is_final(error):
        return
    try:
        stage = client.get_run(run_id).info.lifecycle_stage
    except Exception as missing:
        if is_missing(missing):
            raise RunGoneError(f"the store has no run {run_id}") from error
        return
    if stage == "deleted":
        raise RunGoneError(f"the run {run_id} was deleted in the store") from error


def logged_points(
    client: "MlflowClient", run_id: str, names: Iterable[str]
) -> set[tuple[str, int]]:
    """The (metric, step) pairs that a run has in the store."""
    return {
        (name, int(point.step))
        for name in names
        for point in client.get_metric_history(run_id, name)
    }


def as_text(values: dict[str, Any], limit_chars: int) -> tuple[dict[str, str], list[str]]:
    """Values as MLflow stores them, and the names of those that had to be cut."""
    texts = {key: "null" if value is None else str(value) for key, value in values.items()}
    cut = [key for key, text in texts.items() if len(text) > limit_chars]
    return {key: text[:limit_chars] for key, text in texts.items()}, cut


def artifact_entry(path: Path, folder: str) -> Entry:
    """The entry of one file or folder."""
    return {"op": "artifact", "file": str(path), "folder": folder}


def _metric_rows(entry: Entry) -> "list[Metric]":
    from mlflow.entities import Metric

    return [
        Metric(key, float(value), int(entry["t"]), int(entry["step"]))
        for key, value in entry["values"].items()
    ]


def _metric_names(entries: Iterable[Entry]) -> set[str]:
    return {key for entry in entries if entry["op"] == "metrics" for key in entry["values"]}


def _without_logged(entry: Entry, logged: set[tuple[str, int]]) -> Entry:
    """An entry of metrics without those that the store has for that step; others unchanged."""
    if entry["op"] != "metrics":
        return entry
    step = int(entry["step"])
    values = {key: value for key, value in entry["values"].items() if (key, step) not in logged}
    return {**entry, "values": values}


def _dataset_input(entry: Entry) -> Any:
    """A data set as MLflow stores it; the same one logged again replaces itself."""
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
