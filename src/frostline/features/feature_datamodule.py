"""Batches of stored outputs, in the same form as batches of images."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from frostline.backbones.compute_mode import ComputeMode, to_training_mode
from frostline.data.image_datamodule import Batch, ImageDataModule
from frostline.data.order import BatchRows, EpochSampler
from frostline.features.stored_epochs import StoredEpochs
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


class EpochBatches:
    """The training batches of images that are other ones in each epoch, as stored outputs.

    An epoch that is not stored comes as images. Lightning sets the sampler's epoch.

    Args:
        images: Provides the order, and the images.
        epochs: Opens an epoch's outputs.
    """

    def __init__(self, images: ImageDataModule, epochs: StoredEpochs) -> None:
        self.sampler = images.sampler("train", training=True)
        self._images = images
        self._epochs = epochs

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[Batch]:
        outputs = self._epochs.open(self.sampler.epoch)
        if outputs is None:
            loader = self._images.train_dataloader()
            assert isinstance(loader.sampler, EpochSampler)
            loader.sampler.set_epoch(self.sampler.epoch)
            yield from loader
            return
        labels, start = self._images.table.labels, 0
        for rows, views in self.sampler:
            places = np.arange(start, start + len(rows))
            start += len(rows)
            yield Batch(
                outputs.take(places, np.zeros_like(places)),
                torch.from_numpy(labels[rows]),
                torch.from_numpy(rows.copy()),
                torch.from_numpy(views.copy()),
            )


class FeatureDataModule:
    """Replaces an `ImageDataModule`: the same order and views, with outputs in place of images.

    Args:
        images: Provides the samplers, and the images of what is not stored.
        evaluation: Outputs of all images that are evaluated; None if these come as images.
        training: Every output that the training will ask for, or what opens those of an epoch; None
            if it gets images.
    """

    def __init__(
        self,
        images: ImageDataModule,
        evaluation: StoredOutputs | None,
        training: StoredOutputs | StoredEpochs | None,
    ) -> None:
        self.images = images
        self._evaluation = evaluation
        self._training = training

    def train_dataloader(self) -> DataLoader[Batch] | EpochBatches:
        """Return the training split, shuffled and with views exactly as the images would be."""
        if self._training is None:
            return self.images.train_dataloader()
        if isinstance(self._training, StoredEpochs):
            return EpochBatches(self.images, self._training)
        return self._loader(self._training, "train", training=True)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Return the split in table order, view 0."""
        return self.evaluation_dataloader("val")

    def test_dataloader(self) -> DataLoader[Batch]:
        """Return the split in table order, view 0."""
        return self.evaluation_dataloader("test")

    def evaluation_dataloader(self, split: str) -> DataLoader[Batch]:
        """Return `val` or `test` in table order, view 0.

        Raises:
            ValueError: For `train`, whose view 0 is not always stored.
        """
        if split == "train":
            raise ValueError("evaluate the training split on images: ImageDataModule has them")
        if self._evaluation is None:
            return self.images.evaluation_dataloader(split)
        return self._loader(self._evaluation, split, training=False)

    def _loader(self, outputs: StoredOutputs, split: str, *, training: bool) -> DataLoader[Batch]:
        sampler = self.images.sampler(split, training=training)
        # A generator of its own, as for images, because dropout draws from the global one.
        generator = torch.Generator()
        rows = RowOutputs(outputs, self.images.table.labels)
        return DataLoader(
            rows, batch_size=None, sampler=sampler, generator=generator, collate_fn=unchanged
        )


def unchanged(batch: Any) -> Any:
    """Return a batch as it is; the default would look through its tensors and copy them."""
    return batch


class StoredInputs(nn.Module):
    """What `preprocess` is to images: stored outputs only need the type and layout of training.

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
