"""Augmentation and normalisation of whole batches, on the device.

An augmentation has a finite set of views (`none` 1, `flip` 2, `dihedral` 8), chosen by the sampler,
or random draws that depend on (seed, epoch, batch). View 0 is always the evaluation image.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from frostline.data.augmentations import AUGMENTS, random_recipe
from frostline.data.seeds import derive_seed
from frostline.data.views import FINITE_VIEWS
from frostline.errors import ConfigError

if TYPE_CHECKING:
    from frostline.backbones.spec import InputSpec
    from frostline.data.augmentations import RandomRecipe

MIRRORED = (0, 1)


def apply_views(images: Tensor, views: Tensor, n_views: int) -> Tensor:
    """Rotate and mirror each square image into its view.

    No value of `views` is asked for: on a card that would wait for all that is queued before it.

    Args:
        images: (B, C, S, S), any dtype; of a rectangle, which is never turned, (B, C, H, W).
        views: (B) int64 in 0 .. n_views - 1: views 0 and 1 are the image and its mirror image; 2k
            and 2k+1 are those rotated by k quarter turns.
        n_views: 1, 2 or 8.

    Returns:
        (B, C, S, S), the same dtype and memory format.
    """
    if n_views == 1:
        return images
    layout = channels_last_or_contiguous(images)
    each = views.view(-1, 1, 1, 1)
    out = torch.where(each % 2 == 1, images.flip(-1), images)
    if n_views > len(MIRRORED):
        half_turn = torch.where(each >= 4, out.flip(-2, -1), out)
        quarter_turn = torch.rot90(half_turn, 1, dims=(-2, -1))
        out = torch.where(each // 2 % 2 == 1, quarter_turn, half_turn)
    return out.contiguous(memory_format=layout)


def channels_last_or_contiguous(images: Tensor) -> torch.memory_format:
    """The memory format of images (B, C, H, W); convolutions round differently in the two."""
    if images.is_contiguous(memory_format=torch.channels_last) and not images.is_contiguous():
        return torch.channels_last
    return torch.contiguous_format


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
        """Augment without normalisation: returns uint8 (B, C, S, S), in the inputs' memory format.

        A recipe stacks its images with the channels first; on these all that follows would compute
        in that format, up to twice as slowly on a CPU.
        """
        images = apply_views(inputs, views, self.n_views)
        if self._recipe is not None and (training or self.augment == "crop_always"):
            seed = derive_seed(self._seed, "augment", epoch, batch_idx)
            made = self._recipe(images, seed)
            images = made.contiguous(memory_format=channels_last_or_contiguous(inputs))
        return images

    def normalise(self, images: Tensor) -> Tensor:
        """Normalise uint8 (B, C, S, S) to float32 with the weights' mean and deviation."""
        return torch.addcmul(self.shift, images.to(self.scale.dtype), self.scale)
