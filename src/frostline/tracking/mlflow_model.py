"""A run as an MLflow model: saved, kept with its run, registered."""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.errors import TrackingError
from frostline.tracking.store import Store
from frostline.tracking.store_errors import explained_errors

# What the served model is run by; none of it is ours.
_NEEDS = ("mlflow", "onnx", "onnxruntime", "numpy")


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

    MLflow runs it by onnxruntime: there is no pickle and no code of ours in it.

    Args:
        onnx_file: The file.
        folder: Where to; must not exist.
        example: (1, 3, S, S) images.
        input_name: Name of the input.
        outputs: Name and width of each output (N, width).
        about: Kept as the model's metadata.
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
        # Told, not guessed: MLflow's guess imports the model in a process of its own.
        pip_requirements=[f"{name}=={version(name)}" for name in _NEEDS],
        metadata=dict(about),
    )


def register_model(store: Store, run_id: str, folder: Path, name: str, description: str) -> str:
    """Keep a saved model with its run and make it the next version of a registered model.

    Args:
        store: Where the run is.
        run_id: The run, ended.
        folder: The saved model.
        name: Of the registered model, made if need be.
        description: Of this version.

    Returns:
        The version.

    Raises:
        TrackingError: If the store has no such run, refuses the name, or is away.
    """
    from mlflow.exceptions import MlflowException

    with store.amend_run(run_id) as run:
        run.log_artifact(folder, "exports")
        if run.undelivered:
            raise TrackingError("the store is away: the model waits for it in the run's journal")
    record = store.get_run(run_id)
    with explained_errors(store.address):
        client = store._link.client
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
