"""Running a frozen prefix over images, without autograd, in the precision of the training."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from frostline.data.image_datamodule import RowImages
from frostline.data.order import BatchRows
from frostline.data.transforms import BatchTransform, apply_views
from frostline.data.views import views_up_to

_AUTOCAST = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}

BatchInputs = Callable[[BatchRows], Tensor]
"""Maps a batch to normalised images (N, C, S, S) float32, on the accelerator."""


def precision_context(accelerator: str, precision: str) -> AbstractContextManager[object]:
    """Return the context in which Lightning runs a step at a precision.

    Args:
        accelerator: `cpu`, `cuda` or `mps`.
        precision: `32-true`, `bf16-mixed` or `16-mixed`.
    """
    kind = _AUTOCAST.get(precision)
    return nullcontext() if kind is None else torch.autocast(accelerator, dtype=kind)


def compute_outputs(
    prefix: nn.Module,
    inputs: BatchInputs,
    batches: Sequence[BatchRows],
    *,
    accelerator: str,
    precision: str,
) -> Iterator[Tensor]:
    """Compute outputs of the prefix, batch by batch.

    Args:
        prefix: The frozen stages, on the accelerator.
        inputs: Makes the images of a batch.
        batches: What is asked for.
        accelerator: Where to compute.
        precision: `32-true`, `bf16-mixed` or `16-mixed`.

    Yields:
        Outputs of one batch (N, ...) on the CPU.
    """
    for batch in batches:
        with torch.inference_mode(), precision_context(accelerator, precision):
            outputs: Tensor = prefix(inputs(batch))
        yield outputs.cpu()


def views_of_images(preprocess: BatchTransform, images: RowImages, accelerator: str) -> BatchInputs:
    """Return what makes the images of batches of (row, view) pairs.

    The batches say which views are made, and not the augmentation of `preprocess`: jobs with
    several augmentations read one entry, and each view in it must be that view.

    Args:
        preprocess: Normalisation, on the accelerator.
        images: The rows' images as in evaluation, in the memory format of the training.
        accelerator: Where to compute.
    """

    def inputs(batch: BatchRows) -> Tensor:
        images_now, _, _, views = images[batch]
        # Asked for in the host's memory: a card does not wait.
        n_views = views_up_to(int(batch.views.max(initial=0)))
        made = apply_views(images_now.to(accelerator), views.to(accelerator), n_views)
        return preprocess.normalise(made)

    return inputs
