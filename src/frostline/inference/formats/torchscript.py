"""Export as TorchScript, which PyTorch calls deprecated: one file that it still loads."""

import json
import warnings
from pathlib import Path
from typing import Any

import torch

from frostline.inference.formats.deployable import (
    Deployable,
    ExportError,
    Sample,
    largest_difference,
    running,
)
from frostline.inference.rebuild import Rebuilt

METADATA = "frostline.json"


def export_torchscript(
    rebuilt: Rebuilt, sample: Sample, path: Path, facts: dict[str, Any]
) -> float:
    """Trace the network, freeze it, write it and compare it with PyTorch.

    Classes and preprocessing are in the extra file `frostline.json` of the archive.

    Args:
        rebuilt: The run.
        sample: Real images.
        path: The file.
        facts: The metadata.

    Returns:
        The largest difference of a logit.

    Raises:
        ExportError: If the model cannot be traced, or the outputs disagree.
    """
    network = Deployable(rebuilt).eval().to("cpu")
    images = torch.from_numpy(sample.squares)
    with warnings.catch_warnings(), torch.no_grad():
        # Tracing warns of every shape that it reads; another batch size is checked below.
        warnings.simplefilter("ignore")
        try:
            traced = torch.jit.freeze(torch.jit.trace(network, images[:2]))  # type: ignore[no-untyped-call]
        except (RuntimeError, TypeError, ValueError) as error:
            raise ExportError(
                f"{rebuilt.backbone.name} cannot be traced: {str(error).splitlines()[0]}",
                todo="use --format torch_export, onnx or timm",
            ) from error
        path.parent.mkdir(parents=True, exist_ok=True)
        extra = {METADATA: json.dumps(facts, ensure_ascii=False)}
        torch.jit.save(traced, str(path), _extra_files=extra)
        with running("the TorchScript file"):
            loaded = torch.jit.load(str(path))  # type: ignore[no-untyped-call]
            batched, _ = loaded(images)
            single, _ = loaded(images[:1])
    gap = largest_difference(sample, batched.numpy(), "the TorchScript file")
    first = Sample(sample.squares[:1], sample.logits[:1], sample.names[:1])
    return max(gap, largest_difference(first, single.numpy(), "the TorchScript file"))
