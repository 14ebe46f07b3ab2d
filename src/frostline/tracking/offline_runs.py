"""Runs that began while the store did not answer: first an offline id, later MLflow's."""

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING

from frostline.tracking.journal_file import Entry
from frostline.tracking.machinery import folded
from frostline.tracking.records import PARENT_TAG, RunRecord
from frostline.tracking.store_client import StoreClient

if TYPE_CHECKING:
    from mlflow import MlflowClient

_PREFIX = "offline-"
_ID_TAG = "frostline.local_id"


class ParentPendingError(Exception):
    """A job's run cannot be delivered before the run of its sweep is in the store."""


def new_offline_id() -> str:
    """An id for a run that the store does not have yet."""
    return f"{_PREFIX}{uuid.uuid4().hex}"


def is_offline_id(run_id: str) -> bool:
    """Whether a run has an offline id, because it began without the store."""
    return run_id.startswith(_PREFIX)


def local_name(record: RunRecord) -> str:
    """The name of a run's journal and lock: the run's first id."""
    return record.tags.get(_ID_TAG, record.run_id)


def find_offline_run(client: "MlflowClient", offline_id: str) -> str | None:
    """MLflow's id of a run that began without the store; None if it is not delivered yet."""
    experiments = [item.experiment_id for item in client.search_experiments()]
    if not experiments:
        return None
    runs = client.search_runs(experiments, f"tags.`{_ID_TAG}` = '{offline_id}'", max_results=1)
    return str(runs[0].info.run_id) if runs else None


def create_run(client: "MlflowClient", experiment_id: str, offline_id: str, entry: Entry) -> str:
    """Make the run in the store, unless an earlier attempt has made it.

    Args:
        client: The store's client.
        experiment_id: MLflow's id of the experiment.
        offline_id: The run's offline id.
        entry: The first entry of its journal.

    Returns:
        MLflow's id of the run.

    Raises:
        ParentPendingError: If the run of its sweep is not in the store yet.
    """
    run_id = find_offline_run(client, offline_id)
    if run_id is not None:
        return run_id
    tags = with_stored_parent(client, entry["tags"]) | {_ID_TAG: offline_id}
    run = client.create_run(experiment_id, int(entry["t"]), folded(tags), entry["name"])
    return str(run.info.run_id)


def run_of_journal(store_client: StoreClient, offline_id: str, first: Entry) -> str:
    """MLflow's id of a run that began in a journal, made in the store unless it is there.

    Args:
        store_client: The client of the store.
        offline_id: The run's offline id.
        first: The first entry of its journal.

    Raises:
        LookupError: If the store does not have it, and the journal has lost its beginning.
        ParentPendingError: If the run of its sweep is not in the store yet.
    """
    if first["op"] == "create":
        experiment = store_client.experiment_id(first["experiment"])
        return create_run(store_client.client, experiment, offline_id, first)
    run_id = find_offline_run(store_client.client, offline_id)
    if run_id is None:
        raise LookupError(f"the run {offline_id} is not in the store, and its first entry is lost")
    return run_id


def with_stored_parent(client: "MlflowClient", tags: Mapping[str, str]) -> dict[str, str]:
    """Tags in which the run of the sweep, if they name one, has MLflow's id.

    Raises:
        ParentPendingError: If that run is not in the store yet.
    """
    parent = tags.get(PARENT_TAG, "")
    if not is_offline_id(parent):
        return dict(tags)
    stored = find_offline_run(client, parent)
    if stored is None:
        raise ParentPendingError(parent)
    return {**tags, PARENT_TAG: stored}
