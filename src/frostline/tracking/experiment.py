"""An experiment of a store: found by its name, or made."""

import logging
import urllib.parse
import urllib.request
from pathlib import Path

from frostline.errors import TrackingError
from frostline.tracking.address import Address
from frostline.tracking.connection import Connection
from frostline.tracking.store_errors import explained_errors

_log = logging.getLogger(__name__)
# Without it MLflow's page opens its view for language models.
_EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}


def experiment_id(connection: Connection, name: str) -> str:
    """Find an experiment by name, or make it; several processes may ask at the same time.

    Raises:
        TrackingError: If it was deleted, or the store fails.
    """
    from mlflow.exceptions import MlflowException

    address = connection.address
    client = connection.client
    with explained_errors(address):
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            root = address.artifact_root
            location = None if root is None else (root / _folder_name(name)).as_uri()
            try:
                return str(client.create_experiment(name, location, _EXPERIMENT_TAGS))
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
                experiment = client.get_experiment_by_name(name)
    if experiment is None or experiment.lifecycle_stage == "deleted":
        raise TrackingError(
            f"tracking.experiment={name}: this experiment was deleted in {address.shown}",
            todo="restore it in MLflow's UI, or choose another name: tracking.experiment=NAME",
        )
    _warn_if_moved(address, str(experiment.artifact_location))
    return str(experiment.experiment_id)


def _warn_if_moved(address: Address, location: str) -> None:
    """Warn where the store's folder was moved: MLflow keeps the absolute paths of artifacts."""
    if address.artifact_root is None or not location.startswith("file://"):
        return
    folder = Path(urllib.request.url2pathname(urllib.parse.urlsplit(location).path))
    if address.artifact_root not in folder.parents and not folder.exists():
        _log.warning(
            "the store %s was moved: artifacts of new runs in this experiment still go to %s; "
            "choose another tracking.experiment to put them beside the store",
            address.shown,
            folder,
        )


def _folder_name(name: str) -> str:
    safe = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name)
    return safe.strip(".") or "experiment"
