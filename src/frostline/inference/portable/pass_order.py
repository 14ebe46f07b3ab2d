"""Resize in one order of passes, whichever Pillow is installed.

Pillow resizes in two passes and rounds after each, so their order can change a pixel: by up to 30
of 255 in a tall image. Up to version 12 the horizontal pass came first; since version 13 the
vertical one does where the height shrinks by much more than the width.
"""

from functools import cache

import numpy as np
from PIL import Image

from frostline.data.geometry import FILTERS, Geometry, is_long_strip, target_size

# How `inference.json` says it.
TALL_RULE = "height - target height > 2 * max(width - target width, 0)"


def is_tall(size: tuple[int, int], target: tuple[int, int]) -> bool:
    """Whether Pillow 13 makes the vertical pass first."""
    (width, height), (new_width, new_height) = size, target
    return height - new_height > 2 * max(width - new_width, 0)


@cache
def installed_starts_tall_vertically() -> bool:
    """Whether the installed Pillow makes the vertical pass of tall images first: it is tried."""
    noise = np.random.RandomState(0).randint(0, 2, (256, 8, 3)) * 255
    image = Image.fromarray(noise.astype(np.uint8))
    bicubic = Image.Resampling.BICUBIC
    whole = np.asarray(image.resize((4, 16), bicubic))
    return np.array_equal(whole, np.asarray(_in_two(image, (4, 16), bicubic, vertical_first=True)))


def resized_in_order(
    image: Image.Image, geometry: Geometry, *, tall_vertically_first: bool
) -> Image.Image:
    """Resize an image to its target if the installed Pillow would take the other order.

    Args:
        image: RGB, any size.
        geometry: The target.
        tall_vertically_first: Whether the model's images were resized as by Pillow 13.

    Returns:
        The image as it was if the installed Pillow is right for it.
    """
    target = target_size(image.size, geometry)
    if tall_vertically_first == installed_starts_tall_vertically():
        return image
    if not is_tall(image.size, target) or geometry.interpolation == "nearest":
        return image
    if is_long_strip(target, geometry):  # only its middle is made
        return image
    resample = FILTERS[geometry.interpolation]
    return _in_two(image, target, resample, vertical_first=tall_vertically_first)


def _in_two(
    image: Image.Image,
    target: tuple[int, int],
    resample: Image.Resampling,
    *,
    vertical_first: bool,
) -> Image.Image:
    middle = (image.width, target[1]) if vertical_first else (target[0], image.height)
    return image.resize(middle, resample).resize(target, resample)
