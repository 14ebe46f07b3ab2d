"""Export by torch.export: one file that PyTorch loads without Frostline."""

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
MAX_BATCH = 4096


def export_program(rebuilt: Rebuilt, sample: Sample, path: Path, facts: dict[str, Any]) -> float:
    """Write the network as a program of torch.export and compare it with PyTorch.

    Classes and preprocessing are in the extra file `frostline.json` of the archive.

    Args:
        rebuilt: The run.
        sample: Real images.
        path: The file, whose name ends in .pt2.
        facts: The metadata.

    Returns:
        The largest difference of a logit.

    Raises:
        ExportError: If the model cannot be exported, or the outputs disagree.
    """
    network = Deployable(rebuilt).eval().to("cpu").requires_grad_(False)
    images = torch.from_numpy(sample.squares)
    example = torch.zeros_like(images[:2])
    batch = torch.export.Dim("batch", min=1, max=MAX_BATCH)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter warns of its own code
        try:
            program = torch.export.export(
                network, (example,), dynamic_shapes={"images": {0: batch}}
            )
        except Exception as error:
            text = next((line for line in str(error).splitlines() if line.strip()), "")
            raise ExportError(
                f"{rebuilt.backbone.name} cannot be exported by torch.export: "
                f"{type(error).__name__}: {text}",
                todo="use --format timm or torchscript",
            ) from error
        path.parent.mkdir(parents=True, exist_ok=True)
        # Kept as a pickle within the archive, which nothing needs. The public setter of torch 2.6
        # refuses None.
        program._example_inputs = None
        for node in program.graph.nodes:
            node.meta.pop("stack_trace", None)  # paths of this machine
        extra = {METADATA: json.dumps(facts, ensure_ascii=False)}
        torch.export.save(program, path, extra_files=extra)
        with running("the program of torch.export"):
            loaded = torch.export.load(path).module()
            batched, _ = loaded(images)
            single, _ = loaded(images[:1])
    gap = largest_difference(sample, batched.numpy(), "the program of torch.export")
    first = Sample(sample.squares[:1], sample.logits[:1], sample.names[:1])
    return max(gap, largest_difference(first, single.numpy(), "the program of torch.export"))
