"""Batches of stored outputs, in the same form as batches of images."""

from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from frostline.backbones.compute_mode import ComputeMode, to_training_mode
from frostline.data.image_datamodule import Batch, ImageDataModule
from frostline.data.order import BatchRows
from frostline.features.stored_outputs import StoredOutputs


class RowOutputs(Dataset[Batch]):
    """Batches of stored outputs by table rows and views; indexed by a whole batch at a time."""

    def __init__(self, outputs: StoredOutputs, labels: NDArray[np.int64]) -> None:
        self._outputs = outputs
        self._labels = labels

    def __getitem__(self, index: BatchRows) -> Batch:
        rows, views = index
        return Batch(
            self._outputs.take(rows, views),
            torch.from_numpy(self._labels[rows]),
            torch.from_numpy(rows.copy()),
            torch.from_numpy(views.copy()),
        )


class FeatureDataModule(pl.LightningDataModule):
    """Replaces an `ImageDataModule`: the same order and views, with outputs in place of images.

    Args:
        images: Provides the samplers.
        outputs: Every output that the samplers will ask for.
    """

    def __init__(self, images: ImageDataModule, outputs: StoredOutputs) -> None:
        super().__init__()
        self.images = images
        self._rows = RowOutputs(outputs, images.table.labels)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return the training split, shuffled and with views exactly as the images would be."""
        return self._loader("train", training=True)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Return the split in table order, view 0."""
        return self._loader("val", training=False)

    def test_dataloader(self) -> DataLoader[Batch]:
        """Return the split in table order, view 0."""
        return self._loader("test", training=False)

    def evaluation_dataloader(self, split: str) -> DataLoader[Batch]:
        """Return `val` or `test` in table order, view 0.

        Raises:
            ValueError: For `train`, whose view 0 is not always stored.
        """
        if split == "train":
            raise ValueError("evaluate the training split on images: ImageDataModule has them")
        return self._loader(split, training=False)

    def _loader(self, split: str, *, training: bool) -> DataLoader[Batch]:
        sampler = self.images.sampler(split, training=training)
        # A generator of its own, as for images, because dropout draws from the global one.
        generator = torch.Generator()
        return DataLoader(
            self._rows, batch_size=None, sampler=sampler, generator=generator, collate_fn=unchanged
        )


def unchanged(batch: Any) -> Any:
    """Return a batch as it is; the default would look through its tensors and copy them."""
    return batch


class StoredInputs(nn.Module):
    """Replaces `preprocess` for stored outputs, which only need the type and layout of training.

    Args:
        forward: How they were computed.
        training: How the training on them computes.
    """

    def __init__(self, forward: ComputeMode, training: ComputeMode) -> None:
        super().__init__()
        self._modes = (forward, training)

    def forward(
        self,
        inputs: Tensor,
        views: Tensor,  # noqa: ARG002
        *,
        training: bool,  # noqa: ARG002
        epoch: int,  # noqa: ARG002
        batch_idx: int,  # noqa: ARG002
    ) -> Tensor:
        """Return stored outputs (N, ...) in the type and layout of the training."""
        return to_training_mode(inputs, *self._modes)
