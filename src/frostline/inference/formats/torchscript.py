"""A run as TorchScript: one file that PyTorch loads without any of our code."""

import json
import warnings
from pathlib import Path

import torch

from frostline.inference.formats.deployable import (
    Deployable,
    ExportError,
    Sample,
    described,
    largest_difference,
)
from frostline.inference.rebuild import Rebuilt

METADATA = "frostline.json"


def export_torchscript(rebuilt: Rebuilt, sample: Sample, path: Path) -> float:
    """Trace the network, freeze it, write it and hold it against PyTorch.

    Classes and preprocessing stand in the extra file `frostline.json` of the archive.

    Args:
        rebuilt: The run.
        sample: Real images.
        path: The file.

    Returns:
        The largest difference of a logit.

    Raises:
        ExportError: If the model cannot be traced, or says otherwise.
    """
    network = Deployable(rebuilt).eval().to("cpu")
    images = torch.from_numpy(sample.squares)
    with warnings.catch_warnings(), torch.no_grad():
        # Tracing warns of every shape it reads; other batch sizes are tried below.
        warnings.simplefilter("ignore")
        try:
            traced = torch.jit.freeze(torch.jit.trace(network, images[:2]))  # type: ignore[no-untyped-call]
        except (RuntimeError, TypeError, ValueError) as error:
            raise ExportError(
                f"{rebuilt.backbone.name} cannot be traced: {str(error).splitlines()[0]}",
                todo="use --format onnx or timm",
            ) from error
        path.parent.mkdir(parents=True, exist_ok=True)
        extra = {METADATA: json.dumps(described(rebuilt), ensure_ascii=False)}
        torch.jit.save(traced, str(path), _extra_files=extra)
        loaded = torch.jit.load(str(path))  # type: ignore[no-untyped-call]
        whole, _ = loaded(images)
        single, _ = loaded(images[:1])
    gap = largest_difference(sample, whole.numpy(), "the TorchScript file")
    first = Sample(sample.squares[:1], sample.logits[:1], sample.names[:1])
    return max(gap, largest_difference(first, single.numpy(), "the TorchScript file"))
