"""The augmented training images of one epoch, in the batches in which they are trained on."""

import hashlib

import numpy as np
import torch
from torch import Tensor

from frostline.config.versions import RESULTS_VERSION
from frostline.data.image_datamodule import ImageDataModule, RowImages
from frostline.data.order import BatchRows


class EpochImages:
    """What a run trains on in one epoch: a pure function of data, recipe, seed and epoch.

    An image is known by its place in the epoch's order, since its augmentation depends on its
    batch.

    Args:
        data: The run's images.
        epoch: 0-based.
    """

    def __init__(self, data: ImageDataModule, epoch: int) -> None:
        self._data = data
        self._epoch = epoch
        sampler = data.sampler("train", training=True)
        sampler.set_epoch(epoch)
        self._rows = list(sampler)
        ends = np.cumsum([0, *(len(batch.rows) for batch in self._rows)])
        # Places stand where rows of the table stand for images that have finitely many views.
        self.batches = [
            BatchRows(np.arange(start, end), np.zeros(end - start, dtype=np.int64))
            for start, end in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)
        ]
        self._number_of = {int(batch.rows[0]): number for number, batch in enumerate(self.batches)}

    @property
    def recipe(self) -> str:
        """All that determines the images besides table, size and normalisation, in one line.

        Batches of other sizes, other numbers of threads and channels that come first, as those of
        earlier versions did, round differently.
        """
        digest = hashlib.sha256()
        for rows, views in self._rows:
            digest.update(np.stack([rows, views]).tobytes() + b";")
        return (
            f"{self._data.training.key}, augment {self._data.preprocess.recipe_key}, "
            f"channels last, results version {RESULTS_VERSION}, {torch.get_num_threads()} threads, "
            f"order {digest.hexdigest()[:32]}"
        )

    def open(self) -> None:
        """Decode the images, if that has not been done."""
        self._data.pixels(self._data.training)

    def inputs(self, places: BatchRows, device: str) -> Tensor:
        """Return one of `batches` as the backbone gets it in training.

        Args:
            places: The batch.
            device: Where it is augmented.

        Returns:
            (B, C, S, S) float32, normalised.

        Raises:
            ValueError: If it is no batch of this epoch.
        """
        number = self._number_of.get(int(places.rows[0]))
        if number is None or not np.array_equal(places.rows, self.batches[number].rows):
            raise ValueError("these places are no batch of the epoch")
        opened = RowImages(self._data.pixels(self._data.training), self._data.table.labels)
        images, _, _, views = opened[self._rows[number]]
        preprocess = self._data.preprocess.to(device)
        inputs: Tensor = preprocess(
            images.to(device), views.to(device), training=True, epoch=self._epoch, batch_idx=number
        )
        return inputs
