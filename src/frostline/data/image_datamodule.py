"""Batches of a table's images: decoded once, indexed by batch, order and views by seed."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from frostline.data.augmentations import CROP_FRAC, CROPS
from frostline.data.geometry import Geometry, crop_source_geometry, evaluation_geometry
from frostline.data.order import BatchRows, EpochSampler
from frostline.data.pixel_access import Pixels
from frostline.data.pixels import open_pixels
from frostline.data.sample_table import SampleTable
from frostline.data.splits import Splits
from frostline.data.transforms import BatchTransform

if TYPE_CHECKING:
    from frostline.backbones.spec import InputSpec
    from frostline.data.augmentations import RandomRecipe


class Batch(NamedTuple):
    """A batch of images, or of stored features with the same fields.

    Attributes:
        inputs: (B, C, R, R) uint8 images, or stored outputs of a frozen prefix.
        labels: (B) int64.
        items: (B) int64, the row in the table.
        views: (B) int64, which finite view; 0 in evaluation.
    """

    inputs: Tensor
    labels: Tensor
    items: Tensor
    views: Tensor


class RowImages(Dataset[Batch]):
    """Batches of decoded images; indexed by the rows of a whole batch."""

    def __init__(self, pixels: Pixels, labels: NDArray[np.int64]) -> None:
        self._pixels = pixels
        self._labels = labels

    def __getitem__(self, index: BatchRows) -> Batch:
        rows, views = index
        inputs = torch.from_numpy(self._pixels.take(rows)).permute(0, 3, 1, 2)
        return Batch(
            inputs.contiguous(memory_format=torch.channels_last),
            torch.from_numpy(self._labels[rows]),
            torch.from_numpy(rows.copy()),
            torch.from_numpy(views.copy()),
        )


def geometries_of(spec: "InputSpec", augment: str) -> tuple[Geometry, Geometry]:
    """The squares that images become for evaluation and for training.

    Args:
        spec: The backbone's input.
        augment: Name of the augmentation.
    """
    evaluation = evaluation_geometry(spec)
    if augment not in CROPS:
        return evaluation, evaluation
    training = crop_source_geometry(spec, CROP_FRAC)
    return (training if augment == "crop_always" else evaluation), training


class ImageDataModule:
    """Train, validation and test batches of one table.

    Lightning gets them through `frostline.training.trainer`; a trained run is used without it, and
    is spared its import, which takes as long as PyTorch's.

    Args:
        table: The images.
        splits: The rows of each split.
        spec: The backbone's input.
        augment: Name of the augmentation.
        batch_size: Images in a batch.
        seed: Of order and augmentation.
        workers: Number of decoding processes if images are decoded on the fly.
        memory_gib: Decoded images are held in memory up to this size.
        sampling: "natural", or "balanced": every class is drawn equally often in training.
        own_augment: The user's own augmentation, in the place of one of ours.
    """

    def __init__(
        self,
        table: SampleTable,
        splits: Splits,
        spec: "InputSpec",
        *,
        augment: str,
        batch_size: int,
        seed: int,
        workers: int,
        memory_gib: float,
        sampling: str = "natural",
        own_augment: "RandomRecipe | None" = None,
    ) -> None:
        self.table = table
        self.splits = splits
        self.preprocess = BatchTransform(spec, augment=augment, seed=seed, own=own_augment)
        self._batch_size = batch_size
        self._seed = seed
        self._workers = workers
        self._memory_gib = memory_gib
        self._sampling = sampling
        self.evaluation, self.training = geometries_of(spec, augment)
        self._opened: dict[Geometry, Pixels] = {}

    @property
    def opened(self) -> frozenset[Geometry]:
        """The geometries whose images have been decoded."""
        return frozenset(self._opened)

    def pixels(self, geometry: Geometry) -> Pixels:
        """Return the images of the whole table in one geometry, decoded on the first call."""
        if geometry not in self._opened:
            self._opened[geometry] = open_pixels(self.table, geometry, memory_gib=self._memory_gib)
        return self._opened[geometry]

    def train_dataloader(self) -> DataLoader[Batch]:
        """Shuffled, with views; the order depends only on seed and epoch."""
        return self._loader("train", training=True)

    def val_dataloader(self) -> DataLoader[Batch]:
        """In table order, with evaluation images, nothing dropped."""
        return self._loader("val", training=False)

    def test_dataloader(self) -> DataLoader[Batch]:
        """In table order, with evaluation images, nothing dropped."""
        return self._loader("test", training=False)

    def evaluation_dataloader(self, split: str) -> DataLoader[Batch]:
        """Load any split as in evaluation: `train` in table order, without augmentation."""
        return self._loader(split, training=False)

    def sampler(self, split: str, *, training: bool) -> EpochSampler:
        """Return the sampler of a split's rows and views; the same for images and features."""
        rows = self.splits.named()[split]
        return EpochSampler(
            rows,
            batch_size=self._batch_size,
            seed=self._seed,
            n_views=self.preprocess.n_views,
            training=training,
            weights=self._sampling_weights(rows) if training else None,
        )

    def _loader(self, split: str, *, training: bool) -> DataLoader[Batch]:
        pixels = self.pixels(self.training if training else self.evaluation)
        workers = self._workers if pixels.is_decoded_on_the_fly else 0
        return DataLoader(
            RowImages(pixels, self.table.labels),
            batch_size=None,
            sampler=self.sampler(split, training=training),
            num_workers=workers,
            persistent_workers=workers > 0,
            # Its own generator: otherwise each iterator would draw from the one that dropout uses.
            generator=torch.Generator(),
        )

    def _sampling_weights(self, rows: NDArray[np.int64]) -> NDArray[np.float64] | None:
        if self._sampling != "balanced":
            return None
        labels = self.table.labels[rows]
        counts = np.bincount(labels, minlength=len(self.table.classes))
        return 1.0 / counts[labels]
