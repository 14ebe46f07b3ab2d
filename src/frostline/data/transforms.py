"""Augmentation and normalisation of whole batches, on the device.

An augmentation has a finite set of views (`none` 1, `flip` 2, `dihedral` 8), chosen by the sampler,
or random draws that depend on (seed, epoch, batch). View 0 is always the evaluation image.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from frostline.data.augmentations import AUGMENTS, FINITE_VIEWS, random_recipe
from frostline.data.seeds import derive_seed
from frostline.errors import ConfigError

if TYPE_CHECKING:
    from frostline.backbones.spec import InputSpec
    from frostline.data.augmentations import RandomRecipe


def apply_views(images: Tensor, views: Tensor) -> Tensor:
    """Rotate and mirror each square image into its view.

    Args:
        images: (B, C, S, S), any dtype.
        views: (B) int64 in 0 .. 7: views 0 and 1 are the image and its mirror image; 2k and 2k+1
            are those rotated by k quarter turns.

    Returns:
        (B, C, S, S), the same dtype.
    """
    present = torch.unique(views).tolist()
    if present == [0]:
        return images
    if max(present) == 1:
        return torch.where((views == 1).view(-1, 1, 1, 1), images.flip(-1), images)
    out = images.clone()
    for view in present:
        turns, mirrored = divmod(view, 2)
        chosen = views == view
        some = images[chosen]
        if mirrored:
            some = some.flip(-1)
        out[chosen] = torch.rot90(some, turns, dims=(-2, -1))
    return out


class BatchTransform(nn.Module):
    """Turns uint8 images into the backbone's input.

    Args:
        spec: Size, mean and standard deviation of the backbone's input.
        augment: Name of the augmentation, one of `AUGMENTS`.
        seed: The run's seed, for random augmentations.
        own: The user's own augmentation of that name; None for one of `AUGMENTS`.

    Raises:
        ConfigError: If there is no such augmentation.
    """

    scale: Tensor
    shift: Tensor

    def __init__(
        self, spec: "InputSpec", *, augment: str, seed: int, own: "RandomRecipe | None" = None
    ) -> None:
        super().__init__()
        if own is None and augment not in AUGMENTS:
            raise ConfigError(
                f"augment={augment}: there is no such augmentation", ", ".join(AUGMENTS)
            )
        self.augment = augment
        self.n_views = FINITE_VIEWS.get(augment, 1)
        self._seed = seed
        self.is_own = own is not None
        self._recipe: RandomRecipe | None = own or random_recipe(augment, spec)
        mean, std = torch.tensor(spec.mean), torch.tensor(spec.std)
        self.register_buffer("scale", (1 / (255 * std)).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("shift", (-mean / std).view(1, -1, 1, 1), persistent=False)

    @property
    def is_finite(self) -> bool:
        """Whether all views of an image can be stored."""
        return self._recipe is None

    @property
    def evaluates_finite(self) -> bool:
        """Whether an image is the same in each evaluation."""
        return self.is_finite or self.augment != "crop_always"

    @property
    def recipe_key(self) -> str:
        """What determines the random draws besides epoch and batch."""
        return f"{self.augment} seed {self._seed}"

    def forward(
        self, inputs: Tensor, views: Tensor, *, training: bool, epoch: int, batch_idx: int
    ) -> Tensor:
        """Augment if training, and normalise.

        Args:
            inputs: (B, C, R, R) uint8.
            views: (B) int64, the view of each image.
            training: False gives the evaluation image (except with `crop_always`).
            epoch: 0-based; determines random draws, with the seed and `batch_idx`.
            batch_idx: 0-based within the epoch.

        Returns:
            (B, C, S, S) float32, normalised.
        """
        return self.normalise(
            self.augmented(inputs, views, training=training, epoch=epoch, batch_idx=batch_idx)
        )

    def augmented(
        self, inputs: Tensor, views: Tensor, *, training: bool, epoch: int, batch_idx: int
    ) -> Tensor:
        """Augment without normalisation: returns uint8 (B, C, S, S)."""
        images = apply_views(inputs, views)
        if self._recipe is not None and (training or self.augment == "crop_always"):
            seed = derive_seed(self._seed, "augment", epoch, batch_idx)
            images = self._recipe(images, seed)
        return images

    def normalise(self, images: Tensor) -> Tensor:
        """Normalise uint8 (B, C, S, S) to float32 with the weights' mean and deviation."""
        return torch.addcmul(self.shift, images.to(self.scale.dtype), self.scale)
