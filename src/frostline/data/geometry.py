"""Turn an image of any size into the square of a backbone, as its weights were evaluated.

A rectangle (`image_size=[224,320]`) is called a square here, too: of height and width.

Source: the evaluation transform of timm (`timm.data.transforms_factory.transforms_imagenet_eval`),
reproduced to the pixel here because importing timm takes many seconds; a test compares the two.
"""

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from frostline.data.channels import Channels, Picture, with_channels

if TYPE_CHECKING:
    from frostline.backbones.spec import InputSpec

FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "box": Image.Resampling.BOX,
    "hamming": Image.Resampling.HAMMING,
    "lanczos": Image.Resampling.LANCZOS,
}


# Larger resized images are never made: of a thin strip only the part that is kept is enlarged.
MAX_RESIZED_PX = 2**26


@dataclass(frozen=True)
class Geometry:
    """How an image becomes a square.

    Attributes:
        size_px: Side of the square; the height of a rectangle.
        interpolation: Name of the resampling filter.
        crop_pct: The square's share of the resized image, in (0, 1].
        crop_mode: "center": resized in proportion until it just covers the square, then cropped;
            "squash": both sides resized, then cropped; "border": resized in proportion until it
            just fits in, then padded.
        border: Colour of padding, a value 0 .. 255 for each channel of the image.
        width_px: Width of a rectangle; None for a square.
    """

    size_px: int
    interpolation: str
    crop_pct: float
    crop_mode: str
    border: tuple[int, ...]
    width_px: int | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the result."""
        return self.size_px, self.width_px or self.size_px

    @property
    def scaled(self) -> tuple[int, int]:
        """Height and width that the resized image is to cover, or to fit in."""
        height, width = self.shape
        return math.floor(height / self.crop_pct), math.floor(width / self.crop_pct)

    @property
    def in_chans(self) -> int:
        """Number of channels of the square."""
        return len(self.border)

    @property
    def key(self) -> str:
        """All values in one line, as part of cache keys."""
        values = asdict(self)
        if self.width_px is None:  # keys of before there were rectangles hold
            del values["width_px"]
        return repr(sorted(values.items()))


def evaluation_geometry(spec: "InputSpec") -> Geometry:
    """Return the geometry that the weights were evaluated with."""
    border = tuple(round(255 * value) for value in spec.mean)
    mode = spec.crop_mode or "center"
    return Geometry(
        spec.size_px, spec.interpolation, spec.crop_pct, mode, border, width_px=spec.width_px
    )


def crop_source_geometry(spec: "InputSpec", crop_frac: float) -> Geometry:
    """Return the larger square, of the same proportions, that random crops are taken from.

    Args:
        spec: The backbone's input.
        crop_frac: Side of the crop as a share of the larger square, in (0, 1].
    """
    _, *sides = spec.shape
    height, width = (max(side, round(side / crop_frac)) for side in sides)
    return Geometry(
        height,
        spec.interpolation,
        crop_pct=1.0,
        crop_mode="center",
        border=(0,) * spec.in_chans,
        width_px=None if width == height else width,
    )


def square(image: Picture, geometry: Geometry) -> NDArray[np.uint8]:
    """Resize and crop one image.

    Args:
        image: RGB, or channels; any size.
        geometry: The target.

    Returns:
        (S, S, C) uint8; of a rectangle (height, width, C).
    """
    image = with_channels(image, geometry.in_chans)
    if isinstance(image, Channels):
        planes = zip(image.planes, geometry.border, strict=True)
        return np.stack([_square_of(plane, geometry, fill) for plane, fill in planes], axis=2)
    return _square_of(image, geometry, geometry.border)


def _square_of(
    image: Image.Image, geometry: Geometry, border: int | tuple[int, ...]
) -> NDArray[np.uint8]:
    target = target_size(image.size, geometry)
    resample = FILTERS[geometry.interpolation]
    if is_long_strip(target, geometry):
        return _centre_of_strip(image, target, geometry.shape, resample)
    if target != image.size:
        image = image.resize(target, resample)
    fill = border if geometry.crop_mode == "border" else 0
    return np.asarray(_center(image, geometry.shape, fill))


def target_size(size: tuple[int, int], geometry: Geometry) -> tuple[int, int]:
    """Return width and height to which an image of this width and height is resized."""
    scaled, across = geometry.scaled
    width, height = size
    if geometry.crop_mode == "squash":
        return across, scaled
    if geometry.crop_mode == "border":
        ratio = max(width / across, height / scaled)
        return max(1, round(width / ratio)), max(1, round(height / ratio))
    if across != scaled:
        ratio = min(width / across, height / scaled)
        return round(width / ratio), round(height / ratio)
    if width <= height:
        return scaled, int(scaled * height / width)
    return int(scaled * width / height), scaled


def is_long_strip(target: tuple[int, int], geometry: Geometry) -> bool:
    """Return whether only the middle of the resized image is made, since the whole is too large."""
    return target[0] * target[1] > MAX_RESIZED_PX and geometry.crop_mode == "center"


def _centre_of_strip(
    image: Image.Image, target: tuple[int, int], shape: tuple[int, int], resample: Image.Resampling
) -> NDArray[np.uint8]:
    """Return what `_center` would keep of the resized image, without making the rest of it."""
    kept = min(shape[1], target[0]), min(shape[0], target[1])
    starts = [round((whole - part) / 2.0) for whole, part in zip(target, kept, strict=True)]
    scales = [full / whole for full, whole in zip(image.size, target, strict=True)]
    left, top = (start * scale for start, scale in zip(starts, scales, strict=True))
    right, bottom = (
        min((start + part) * scale, full)
        for start, part, scale, full in zip(starts, kept, scales, image.size, strict=True)
    )
    part = image.resize(kept, resample, box=(left, top, right, bottom))
    return np.asarray(_center(part, shape, 0))


def _center(image: Image.Image, shape: tuple[int, int], fill: int | tuple[int, ...]) -> Image.Image:
    width, height = image.size
    wide, high = max(0, shape[1] - width), max(0, shape[0] - height)
    if wide or high:
        padding = (wide // 2, high // 2, (wide + 1) // 2, (high + 1) // 2)
        image = ImageOps.expand(image, padding, fill)
        width, height = image.size
    left, top = round((width - shape[1]) / 2.0), round((height - shape[0]) / 2.0)
    return image.crop((left, top, left + shape[1], top + shape[0]))
