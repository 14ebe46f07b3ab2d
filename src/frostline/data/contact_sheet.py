"""A picture of what an augmentation does: a row per image, the evaluation image first."""

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from frostline.data.channels import in_colour
from frostline.data.image_datamodule import ImageDataModule
from frostline.data.order import epoch_views

GAP_PX = 2


def contact_sheet(data: ImageDataModule, *, n_images: int, n_epochs: int, seed: int) -> Image.Image:
    """Draw training images as they are in the first epochs.

    Args:
        data: The data module, with its augmentation.
        n_images: Rows.
        n_epochs: Columns after the first.
        seed: The run's seed, for the views.

    Returns:
        An RGB picture of n_images rows: the evaluation image, then one image per epoch.
    """
    rows = data.splits.train[:: max(1, len(data.splits.train) // n_images)][:n_images]
    evaluation = _batch(data, rows, training=False)
    training = _batch(data, rows, training=True)
    columns = [evaluation]
    for epoch in range(n_epochs):
        views = epoch_views(len(rows), data.preprocess.n_views, seed=seed, epoch=epoch)
        columns.append(
            data.preprocess.augmented(
                training, torch.from_numpy(views), training=True, epoch=epoch, batch_idx=0
            )
        )
    height, width = evaluation.shape[-2:]
    down, across = height + GAP_PX, width + GAP_PX
    sheet = np.full((down * len(rows), across * len(columns), 3), 255, dtype=np.uint8)
    for column, images in enumerate(columns):
        for row, image in enumerate(images.permute(0, 2, 3, 1).numpy()):
            top, left = row * down, column * across
            sheet[top : top + height, left : left + width] = in_colour(image)
    return Image.fromarray(sheet)


def _batch(data: ImageDataModule, rows: NDArray[np.int64], *, training: bool) -> torch.Tensor:
    geometry = data.training if training else data.evaluation
    return torch.from_numpy(data.pixels(geometry).take(rows)).permute(0, 3, 1, 2)
