"""Checkpoints given to a store on the same disk without copying their bytes."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

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
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

    if file.suffix != _SUFFIX or not file.is_file():
        return False
    try:
        # MLflow's own copy goes through the same object.
        repository = client._tracking_client._get_artifact_repo(run_id)
    except AttributeError:  # other versions of MLflow
        return False
    if not isinstance(repository, LocalArtifactRepository):
        return False
    place = Path(repository.artifact_dir) / folder
    try:
        place.mkdir(parents=True, exist_ok=True)
        os.link(file, place / file.name)
    except OSError:  # another disk, a file system without links, or a file of that name
        return False
    return True
