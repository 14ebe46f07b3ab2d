"""Running a frozen prefix over images, without autograd, in the precision of the training."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from frostline.data.image_datamodule import RowImages
from frostline.data.order import BatchRows

_AUTOCAST = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


def precision_context(accelerator: str, precision: str) -> AbstractContextManager[object]:
    """Return the context in which Lightning runs a step at a precision.

    Args:
        accelerator: `cpu`, `cuda` or `mps`.
        precision: `32-true`, `bf16-mixed` or `16-mixed`.
    """
    kind = _AUTOCAST.get(precision)
    return nullcontext() if kind is None else torch.autocast(accelerator, dtype=kind)


def compute_outputs(
    run: Callable[[Tensor, Tensor], Tensor],
    images: RowImages,
    batches: Sequence[BatchRows],
    *,
    accelerator: str,
    precision: str,
) -> Iterator[Tensor]:
    """Compute outputs of the prefix, batch by batch.

    Args:
        run: Maps uint8 images (N, 3, R, R) and views (N) to outputs (N, ...), on the accelerator.
        images: The rows' images, in the memory format of the training.
        batches: Rows and views.
        accelerator: Where to compute.
        precision: `32-true`, `bf16-mixed` or `16-mixed`.

    Yields:
        Outputs of one batch (N, ...) on the CPU.
    """
    for batch in batches:
        inputs, _, _, views = images[batch]
        with torch.inference_mode(), precision_context(accelerator, precision):
            outputs = run(inputs.to(accelerator), views.to(accelerator))
        yield outputs.cpu()


def prefix_of_images(
    preprocess: nn.Module, prefix: nn.Module
) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the function from decoded images to the prefix's outputs.

    Args:
        preprocess: Views and normalisation; its views are finite, so epoch and batch do not
            matter.
        prefix: The frozen stages.
    """

    def run(images: Tensor, views: Tensor) -> Tensor:
        inputs = preprocess(images, views, training=True, epoch=0, batch_idx=0)
        outputs: Tensor = prefix(inputs)
        return outputs

    return run
