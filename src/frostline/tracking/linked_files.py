"""Files given to a store on the same disk directly: checkpoints by a second name, texts as such."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from frostline.files import replacing

if TYPE_CHECKING:
    from mlflow import MlflowClient

# Written once under a temporary name, and removed once the run has them: never changed in place.
_SUFFIX = ".ckpt"


def linked(client: "MlflowClient", run_id: str, file: Path, folder: str) -> bool:
    """Make a file a run's artifact by a second name, where the store is a folder of this disk.

    Args:
        client: The store's client.
        run_id: MLflow's id of the run.
        file: The file.
        folder: Where it goes within the run's artifacts.

    Returns:
        Whether that was done; if not, it has to be copied.
    """
    if file.suffix != _SUFFIX or not file.is_file():
        return False
    artifacts = _local_folder(client, run_id)
    if artifacts is None:
        return False
    place = artifacts / folder
    try:
        place.mkdir(parents=True, exist_ok=True)
        os.link(file, place / file.name)
    except OSError:  # another disk, a file system without links, or a file of that name
        return False
    return True


def written(client: "MlflowClient", run_id: str, text: str, path: str) -> bool:
    """Write a text as a run's artifact, where the store is a folder of this machine.

    Args:
        client: The store's client.
        run_id: MLflow's id of the run.
        text: The text.
        path: Within the run's artifacts, one of our own names; an earlier text there is replaced.

    Returns:
        Whether that was done; if not, MLflow has to, or to say why not.
    """
    artifacts = _local_folder(client, run_id)
    if artifacts is None:
        return False
    file = artifacts / path
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # An earlier text stays whole until the new one is: a sweep goes on by its plan.
        with replacing(file, sync=False) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError:
        return False
    return True


def _local_folder(client: "MlflowClient", run_id: str) -> Path | None:
    """A run's folder of artifacts on this machine; None where they are elsewhere."""
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

    try:
        # MLflow's own copy goes through the same object.
        repository = client._tracking_client._get_artifact_repo(run_id)
    except AttributeError:  # other versions of MLflow
        return None
    if not isinstance(repository, LocalArtifactRepository):
        return None
    return Path(repository.artifact_dir)
