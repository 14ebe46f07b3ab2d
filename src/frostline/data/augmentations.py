"""Augmentations: the views of the finite ones, and the random ones from torchvision.

To add a random one: a name in `AUGMENTS`, a branch in `random_recipe`, a file in conf/augment/.
A sweep's plan reads `FINITE_VIEWS`, so torch is imported only when an augmentation is built.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from frostline.backbones.spec import InputSpec

    RandomRecipe = Callable[[Tensor, int], Tensor]

# Number of views of each image, for the augmentations that have finitely many.
FINITE_VIEWS = {"none": 1, "flip": 2, "dihedral": 8}

# Crops are taken from a larger square; `crop_always` also crops in evaluation: a known mistake.
CROPS = ("crop", "crop_always")
AUGMENTS = (*FINITE_VIEWS, *CROPS, "trivial", "randaugment", "color")

# Resize to 64, random crop of 52: the book's recipe, for any size.
CROP_FRAC = 52 / 64


def random_recipe(augment: str, spec: "InputSpec") -> "RandomRecipe | None":
    """Return the random part of an augmentation, or None if its views are finite.

    Every image of a batch has its own draw.

    Returns:
        A function from images (B, 3, R, R) uint8 and a seed to images (B, 3, S, S) uint8.
    """
    if augment in FINITE_VIEWS:
        return None
    from torchvision.transforms import InterpolationMode, v2

    if augment in CROPS:
        return _each(v2.Compose([v2.RandomCrop(spec.size_px), v2.RandomHorizontalFlip()]))
    # The corners of rotated and sheared images get the weights' mean colour, not black.
    fill = [round(255 * value) for value in spec.mean]
    bilinear = InterpolationMode.BILINEAR
    policies: dict[str, v2.Transform] = {
        "trivial": v2.TrivialAugmentWide(interpolation=bilinear, fill=fill),
        "randaugment": v2.RandAugment(num_ops=2, magnitude=9, interpolation=bilinear, fill=fill),
        "color": v2.ColorJitter(brightness=0.3, contrast=0.3, saturation=0.3, hue=0.05),
    }
    return _each(v2.Compose([v2.RandomHorizontalFlip(), policies[augment]]))


def _each(transform: "Callable[[Tensor], Tensor]") -> "RandomRecipe":
    """Apply a torchvision transform to each image of a batch separately.

    torchvision draws from the global CPU generator, once for a whole batch; the generator is
    seeded here and restored afterwards.
    """
    import torch

    def apply(images: "Tensor", seed: int) -> "Tensor":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return torch.stack([transform(image) for image in images])

    return apply
