"""Export as ONNX: pixels in, logits and probabilities out, any batch size."""

import io
import logging
import tempfile
import warnings
from contextlib import redirect_stderr, redirect_stdout
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from frostline.inference.formats.deployable import (
    INPUT,
    OUTPUTS,
    Deployable,
    ExportError,
    Sample,
    largest_difference,
    running,
)
from frostline.inference.formats.inference_facts import as_texts
from frostline.inference.formats.onnx_resize import SQUARES, resize_model
from frostline.inference.rebuild import Rebuilt


def export_onnx(rebuilt: Rebuilt, sample: Sample, path: Path, facts: dict[str, Any]) -> float:
    """Write an ONNX file and compare it with PyTorch.

    The normalisation is part of the model; the metadata hold the class names and the preprocessing
    as JSON (`classes`, `preprocessing`).

    Args:
        rebuilt: The run.
        sample: Real images.
        path: The file.
        facts: The metadata.

    Returns:
        The largest difference of a logit, by onnxruntime on the CPU.

    Raises:
        ExportError: If the model has an operation that ONNX lacks, or the outputs disagree.
    """
    _save(_onnx_model(rebuilt, sample), path, facts)
    return check_onnx(path, sample)


def export_onnx_of_images(
    rebuilt: Rebuilt, sample: Sample, path: Path, facts: dict[str, Any]
) -> float:
    """Write an ONNX file that takes one image (H, W, C) of any size: it resizes and crops itself.

    Args:
        rebuilt: The run.
        sample: Real images.
        path: The file.
        facts: The metadata.

    Returns:
        The largest difference of a logit of the network behind the resizing.

    Raises:
        ExportError: As `export_onnx`, or if the resizing cannot be expressed.
    """
    from onnx.compose import add_prefix, merge_models

    network = _onnx_model(rebuilt, sample)
    (opset,) = [one.version for one in network.opset_import if one.domain == ""]
    resize = resize_model(rebuilt.geometry, opset, network.ir_version)
    with tempfile.TemporaryDirectory() as scratch:
        of_squares = Path(scratch) / path.name
        _save(network, of_squares, {})
        difference = check_onnx(of_squares, sample)
    add_prefix(resize, "resize_", rename_inputs=False, rename_outputs=False, inplace=True)
    whole = merge_models(resize, network, io_map=[(SQUARES, INPUT)])
    _save(whole, path, facts)
    return difference


def check_onnx(path: Path, sample: Sample) -> float:
    """Run an ONNX file on the sample, as one batch and on a single image.

    Returns:
        The largest difference of a logit.
    """
    import onnxruntime  # type: ignore[import-untyped]

    with running("the ONNX file"):
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        batched = session.run([OUTPUTS[0]], {INPUT: sample.squares})[0]
        single = session.run([OUTPUTS[0]], {INPUT: sample.squares[:1]})[0]
    gap = largest_difference(sample, np.asarray(batched), "the ONNX file")
    first = Sample(sample.squares[:1], sample.logits[:1], sample.names[:1])
    return max(gap, largest_difference(first, np.asarray(single), "the ONNX file"))


def _onnx_model(rebuilt: Rebuilt, sample: Sample) -> Any:
    example = torch.from_numpy(sample.squares[:2])
    network = Deployable(rebuilt).eval().to("cpu")
    batch = torch.export.Dim("batch", min=1, max=4096)
    output = io.StringIO()
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with (
            warnings.catch_warnings(),
            redirect_stdout(output),
            redirect_stderr(output),
            torch.no_grad(),
        ):
            warnings.simplefilter("ignore")  # the exporter warns of its own code on every call
            program: Any = torch.onnx.export(
                network,
                (example,),
                input_names=[INPUT],
                output_names=list(OUTPUTS),
                dynamic_shapes={"images": {0: batch}},
                dynamo=True,
                optimize=True,
            )
    except Exception as error:
        text = next((line for line in str(error).splitlines() if line.strip()), "")
        raise ExportError(
            f"{rebuilt.backbone.name} cannot be written as ONNX: {type(error).__name__}: {text}",
            todo="use --format timm or torch_export, or try another onnxscript: "
            f"{version('onnxscript')} is installed beside torch {version('torch')} (torch 2.6 "
            "works with onnxscript 0.5.0 and onnx-ir 0.1.12)",
        ) from error
    model = program.model_proto
    for node in model.graph.node:
        del node.metadata_props[:]  # where each came from, with paths of this machine
    return model


def _save(model: Any, path: Path, facts: dict[str, Any]) -> None:
    import onnx

    for key, value in as_texts(facts).items():
        model.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save_model(model, str(path))
