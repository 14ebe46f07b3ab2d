"""Augmentations: the views of the finite ones, and the random ones from torchvision.

To add one of your own without touching this: docs/plugins.md. To add one here: a name in
`AUGMENTS`, a branch in `random_recipe`, a file in conf/augment/.
A sweep's plan reads `FINITE_VIEWS`, so torch is imported only when an augmentation is built.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from frostline.config.data_settings import RGB_CHANNELS
from frostline.data.seeds import own_draws
from frostline.data.views import FINITE_VIEWS
from frostline.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from frostline.backbones.spec import InputSpec

# From images (B, C, R, R) uint8 and a seed to images (B, C, S, S) uint8.
RandomRecipe = Callable[["Tensor", int], "Tensor"]

# Crops are taken from a larger square; `crop_always` also crops in evaluation: a known mistake.
CROPS = ("crop", "crop_always")
# Some of its views are turned by 90 degrees, which swaps height and width.
OF_SQUARES = ("dihedral",)
# These change colours, which other channels than grey and colour do not have.
OF_COLOURS = ("trivial", "randaugment", "color")
AUGMENTS = (*FINITE_VIEWS, *CROPS, *OF_COLOURS)

# Resize to 64, random crop of 52: the book's recipe, for any size.
CROP_FRAC = 52 / 64


def check_augment(augment: str, spec: "InputSpec") -> None:
    """Check that an augmentation can be done to the images of a backbone.

    Raises:
        ConfigError: If it changes colours, and the images are neither grey nor in colour; if it
            turns images by 90 degrees, and they are no squares.
    """
    in_chans, height, width = spec.shape
    if augment in OF_SQUARES and height != width:
        able = [name for name in AUGMENTS if name not in OF_SQUARES]
        raise ConfigError(
            f"augment={augment} turns images by 90 degrees, and those of {height} x {width} px "
            f"(image_size=[{height},{width}]) would become {width} x {height}",
            ", ".join(able),
            "augment=flip, or a square: image_size=N",
        )
    if augment in OF_COLOURS and in_chans not in {1, RGB_CHANNELS}:
        able = [name for name in AUGMENTS if name not in OF_COLOURS]
        raise ConfigError(
            f"augment={augment} changes colours, and images of in_chans={in_chans} have none",
            ", ".join(able),
        )


def random_recipe(augment: str, spec: "InputSpec") -> RandomRecipe | None:
    """Return the random part of an augmentation, or None if its views are finite.

    Every image of a batch has its own draw.

    Returns:
        A function from images (B, C, R, R) uint8 and a seed to images (B, C, S, S) uint8.

    Raises:
        ConfigError: If the images have channels that the augmentation does not know.
    """
    check_augment(augment, spec)
    if augment in FINITE_VIEWS:
        return None
    from torchvision.transforms import InterpolationMode, v2

    if augment in CROPS:
        return _each(v2.Compose([v2.RandomCrop(spec.shape[1:]), v2.RandomHorizontalFlip()]))
    # The corners of rotated and sheared images get the weights' mean colour, not black.
    fill = [round(255 * value) for value in spec.mean]
    bilinear = InterpolationMode.BILINEAR
    policies: dict[str, v2.Transform] = {
        "trivial": v2.TrivialAugmentWide(interpolation=bilinear, fill=fill),
        "randaugment": v2.RandAugment(num_ops=2, magnitude=9, interpolation=bilinear, fill=fill),
        "color": v2.ColorJitter(brightness=0.3, contrast=0.3, saturation=0.3, hue=0.05),
    }
    return _each(v2.Compose([v2.RandomHorizontalFlip(), policies[augment]]))


def own_recipe(transform: "Callable[[Tensor], Tensor]", name: str) -> RandomRecipe:
    """A user's own augmentation, called with each image; what it draws is seeded.

    It may draw from PyTorch, NumPy or Python's random: all three are restored afterwards.

    Args:
        transform: From an image (C, S, S) uint8 to one of the same form.
        name: Of the augmentation, for messages.

    Raises:
        ConfigError: If it returns something else, when it is used.
    """
    import random

    import numpy as np

    each = _each(lambda image: _checked(transform(image), image, name))

    def apply(images: "Tensor", seed: int) -> "Tensor":
        before = random.getstate(), np.random.get_state()
        random.seed(seed)
        np.random.seed(seed % 2**32)
        try:
            return each(images, seed)
        finally:
            random.setstate(before[0])
            np.random.set_state(before[1])

    return apply


def _checked(result: "Tensor", image: "Tensor", name: str) -> "Tensor":
    shape, kind = getattr(result, "shape", None), getattr(result, "dtype", type(result).__name__)
    if shape != image.shape or kind != image.dtype:
        raise ConfigError(
            f"augment={name}: it made {kind} {tuple(shape or ())} of an image",
            f"{image.dtype} {tuple(image.shape)}, the form of what it was given",
        )
    return result


def _each(transform: "Callable[[Tensor], Tensor]") -> RandomRecipe:
    """Apply a torchvision transform to each image of a batch separately.

    torchvision draws from the global CPU generator, once for a whole batch; the generator is
    seeded here and restored afterwards.
    """
    import torch

    def apply(images: "Tensor", seed: int) -> "Tensor":
        with own_draws(seed, images):
            return torch.stack([transform(image) for image in images])

    return apply
