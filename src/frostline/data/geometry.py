"""Turn an image of any size into the square of a backbone, as its weights were evaluated.

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
        size_px: Side of the square.
        interpolation: Name of the resampling filter.
        crop_pct: The square's share of the resized image, in (0, 1].
        crop_mode: "center": shorter side resized, then cropped; "squash": both sides resized, then
            cropped; "border": longer side resized, then padded.
        border: Colour of padding, a value 0 .. 255 for each channel of the image.
    """

    size_px: int
    interpolation: str
    crop_pct: float
    crop_mode: str
    border: tuple[int, ...]

    @property
    def in_chans(self) -> int:
        """Number of channels of the square."""
        return len(self.border)

    @property
    def key(self) -> str:
        """All values in one line, as part of cache keys."""
        return repr(sorted(asdict(self).items()))


def evaluation_geometry(spec: "InputSpec") -> Geometry:
    """Return the geometry that the weights were evaluated with."""
    border = tuple(round(255 * value) for value in spec.mean)
    mode = spec.crop_mode or "center"
    return Geometry(spec.size_px, spec.interpolation, spec.crop_pct, mode, border)


def crop_source_geometry(spec: "InputSpec", crop_frac: float) -> Geometry:
    """Return the larger square that random crops of `size_px` are taken from.

    Args:
        spec: The backbone's input.
        crop_frac: Side of the crop as a share of the larger square, in (0, 1].
    """
    return Geometry(
        max(spec.size_px, round(spec.size_px / crop_frac)),
        spec.interpolation,
        crop_pct=1.0,
        crop_mode="center",
        border=(0,) * spec.in_chans,
    )


def square(image: Picture, geometry: Geometry) -> NDArray[np.uint8]:
    """Resize and crop one image.

    Args:
        image: RGB, or channels; any size.
        geometry: The target.

    Returns:
        (S, S, C) uint8.
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
        return _centre_of_strip(image, target, geometry.size_px, resample)
    if target != image.size:
        image = image.resize(target, resample)
    fill = border if geometry.crop_mode == "border" else 0
    return np.asarray(_center(image, geometry.size_px, fill))


def target_size(size: tuple[int, int], geometry: Geometry) -> tuple[int, int]:
    """Return width and height to which an image of this width and height is resized."""
    scaled = math.floor(geometry.size_px / geometry.crop_pct)
    width, height = size
    if geometry.crop_mode == "squash":
        return scaled, scaled
    if geometry.crop_mode == "border":
        ratio = max(width, height) / scaled
        return max(1, round(width / ratio)), max(1, round(height / ratio))
    if width <= height:
        return scaled, int(scaled * height / width)
    return int(scaled * width / height), scaled


def is_long_strip(target: tuple[int, int], geometry: Geometry) -> bool:
    """Return whether only the middle of the resized image is made, since the whole is too large."""
    return target[0] * target[1] > MAX_RESIZED_PX and geometry.crop_mode == "center"


def _centre_of_strip(
    image: Image.Image, target: tuple[int, int], size: int, resample: Image.Resampling
) -> NDArray[np.uint8]:
    """Return what `_center` would keep of the resized image, without making the rest of it."""
    kept = min(size, target[0]), min(size, target[1])
    starts = [round((whole - part) / 2.0) for whole, part in zip(target, kept, strict=True)]
    scales = [full / whole for full, whole in zip(image.size, target, strict=True)]
    left, top = (start * scale for start, scale in zip(starts, scales, strict=True))
    right, bottom = (
        min((start + part) * scale, full)
        for start, part, scale, full in zip(starts, kept, scales, image.size, strict=True)
    )
    part = image.resize(kept, resample, box=(left, top, right, bottom))
    return np.asarray(_center(part, size, 0))


def _center(image: Image.Image, size: int, fill: int | tuple[int, ...]) -> Image.Image:
    width, height = image.size
    wide, high = max(0, size - width), max(0, size - height)
    if wide or high:
        padding = (wide // 2, high // 2, (wide + 1) // 2, (high + 1) // 2)
        image = ImageOps.expand(image, padding, fill)
        width, height = image.size
    left, top = round((width - size) / 2.0), round((height - size) / 2.0)
    return image.crop((left, top, left + size, top + size))
