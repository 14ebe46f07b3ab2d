"""Grey images of more than 8 bits: their values, and their way to 8 bits, a few rows at a time.

A picture of 119 megapixels takes 240 MB at 16 bits; at no time are all its values held as floats.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Black and white: what becomes 0 and 255.
ValueRange = tuple[float, float]
_BAND_VALUES = 2**22


def is_deep(mode: str) -> bool:
    """Whether Pillow's mode holds more than 8 bits a value: integers (`I`, `I;16`) or floats."""
    return mode.startswith(("I", "F"))


def extent_of(image: Image.Image) -> ValueRange:
    """The smallest and the largest finite value; (0, 0) if there is none."""
    low, high = np.inf, -np.inf
    for _, band in _bands(image):
        finite = band[np.isfinite(band)] if band.dtype.kind == "f" else band
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    return (low, high) if low <= high else (0.0, 0.0)


def guessed_range(mode: str, high: float) -> ValueRange:
    """The range of one image by itself, where no data set says it: that of its type.

    16-bit values are divided by 257. Mode `I` holds 32-bit integers, which in practice are values
    of 8 or 16 bits; floats are read as [0, 1], or else [0, 255].

    Args:
        mode: Pillow's; of several channels with their number, such as `I;16 x 5`.
        high: Its largest value.
    """
    if mode.startswith("I;16"):
        return 0.0, 65535.0
    if mode.startswith("F"):
        return (0.0, 1.0) if high <= 1.0 else (0.0, 255.0)
    if high <= 255:
        return 0.0, 255.0
    return (0.0, 65535.0) if high <= 65535 else (0.0, float(2**31 - 1))


def to_8_bits(image: Image.Image, value_range: ValueRange | None) -> Image.Image:
    """Convert a deep grey image to RGB.

    Args:
        image: Of a deep mode.
        value_range: What becomes black and white; values beyond are cut off. None: guessed.
    """
    low, high = value_range or guessed_range(image.mode, extent_of(image)[1])
    grey = np.empty((image.height, image.width), np.uint8)
    transparent = image.info.get("transparency")
    for top, band in _bands(image):
        values = np.nan_to_num(band.astype(np.float64), nan=low, posinf=high, neginf=low)
        values -= low
        values *= 255.0 / (high - low)
        rows = np.clip(np.rint(values, out=values), 0, 255).astype(np.uint8)
        if isinstance(transparent, int):
            rows[band == transparent] = 255
        grey[top : top + len(rows)] = rows
    return Image.fromarray(grey).convert("RGB")


def _bands(image: Image.Image) -> Iterator[tuple[int, NDArray[np.generic]]]:
    """Yield rows from top to bottom: where they begin, and their values (h, W)."""
    step = max(1, _BAND_VALUES // max(1, image.width))
    for top in range(0, image.height, step):
        box = (0, top, image.width, min(image.height, top + step))
        yield top, np.asarray(image.crop(box))
