"""A run as an MLflow model: saved, logged on its run, registered."""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.errors import TrackingError
from frostline.tracking.store import Store
from frostline.tracking.store_errors import explained_errors

# What a served model needs; Frostline is not among it.
CHAMPION = "champion"
_REQUIREMENTS = ("mlflow", "onnx", "onnxruntime", "numpy")


def save_onnx_model(
    onnx_file: Path,
    folder: Path,
    *,
    example: NDArray[np.uint8],
    input_name: str,
    outputs: Mapping[str, int],
    about: Mapping[str, Any],
) -> None:
    """Save an ONNX file as an MLflow model, with signature and input example.

    MLflow runs it with onnxruntime: it contains no pickle and no code of Frostline.

    Args:
        onnx_file: The file.
        folder: The model's folder, which must not exist.
        example: (1, 3, S, S) images.
        input_name: Name of the input.
        outputs: Name and width of each output (N, width).
        about: The model's metadata.
    """
    import mlflow.onnx
    import onnx
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    shape = (-1, *example.shape[1:])
    signature = ModelSignature(
        inputs=Schema([TensorSpec(np.dtype(np.uint8), shape, input_name)]),
        outputs=Schema(
            [TensorSpec(np.dtype(np.float32), (-1, width), name) for name, width in outputs.items()]
        ),
    )
    mlflow.onnx.save_model(
        onnx.load(str(onnx_file)),
        str(folder),
        signature=signature,
        input_example={input_name: example},
        # Given, because MLflow would find them out by importing the model in another process.
        pip_requirements=[f"{name}=={version(name)}" for name in _REQUIREMENTS],
        metadata=dict(about),
    )


def register_model(store: Store, run_id: str, folder: Path, name: str, description: str) -> str:
    """Log a saved model on its run and make it the next version of a registered model.

    Args:
        store: Where the run is.
        run_id: The run, which must have ended.
        folder: The saved model.
        name: Name of the registered model, which is made if it does not exist.
        description: Description of this version.

    Returns:
        The version.

    Raises:
        TrackingError: If the store has no such run, refuses the name, or does not answer.
    """
    from mlflow.exceptions import MlflowException

    with store.amend_run(run_id) as run:
        run.log_artifact(folder, "exports")
        if run.undelivered:
            raise TrackingError(
                "the store cannot be reached: the model waits for it in the run's journal"
            )
    record = store.get_run(run_id)
    with explained_errors(store.address):
        client = store.client
        try:
            client.get_registered_model(name)
        except MlflowException:
            client.create_registered_model(name)
        made = client.create_model_version(
            name,
            f"{record.artifact_uri}/exports/{folder.name}",
            run_id=record.run_id,
            description=description,
        )
    return str(made.version)


def champion_run(store: Store, name: str) -> str | None:
    """The run of the version that has the alias `champion`; None if there is none."""
    from mlflow.exceptions import MlflowException

    with explained_errors(store.address):
        try:
            found = store.client.get_model_version_by_alias(name, CHAMPION).run_id
        except MlflowException:
            return None
    return None if found is None else str(found)


def make_champion(store: Store, name: str, version: str) -> None:
    """Give a version the alias `champion`, which the one before it loses."""
    with explained_errors(store.address):
        store.client.set_registered_model_alias(name, CHAMPION, version)
