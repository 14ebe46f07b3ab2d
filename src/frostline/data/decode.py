"""Any image file to an upright RGB image on white, or a sentence that says why not."""

import stat
import struct
import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from frostline.errors import DataError

# A photo of 108 megapixels is real (phones make them); 20,000 x 20,000 pixels take 1.2 GB.
MAX_PIXELS = 120_000_000

WHITE = (255, 255, 255)


class UnreadableImageError(DataError):
    """An image file that cannot be decoded; `given` is the reason alone."""


def decode_file(path: Path) -> Image.Image:
    """Decode an image file.

    Args:
        path: The file.

    Returns:
        An RGB image: the first frame, turned upright by its EXIF, transparency laid on white,
        16 bit scaled to 8.

    Raises:
        UnreadableImageError: If the file is empty, truncated, not an image, or too large.
    """
    return decode_bytes(read_file(path))


def read_file(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        UnreadableImageError: If there is none, it may not be read, or it is a pipe or a device:
            reading those may wait, or go on, for ever.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UnreadableImageError("not a file, but a folder, a pipe or a device")
        return path.read_bytes()
    except OSError as error:
        raise UnreadableImageError(error.strerror or str(error)) from None


def decode_bytes(data: bytes) -> Image.Image:
    """Decode the bytes of an image file; see `decode_file`.

    Raises:
        UnreadableImageError: If the bytes are empty, truncated, not an image, or too large.
    """
    return to_rgb(open_checked(data, full=True))


def open_checked(data: bytes, *, full: bool) -> Image.Image:
    """Open an image and decode its first frame.

    Args:
        data: The bytes of the file.
        full: Decode every pixel; otherwise JPEGs are decoded at an eighth of their size, which
            still reads all of the file and finds every truncation.

    Returns:
        The decoded image in its own mode.

    Raises:
        UnreadableImageError: If the bytes are empty, truncated, not an image, or too large.
    """
    if not data:
        raise UnreadableImageError("the file is empty")
    try:
        with warnings.catch_warnings():
            # Pillow warns below the limit that is checked here, and of broken metadata.
            warnings.simplefilter("ignore")
            image = Image.open(BytesIO(data))
            check_pixels(*image.size)
            size = image.size
            if not full and image.format == "JPEG":
                image.draft(None, (1, 1))
            image.load()
            image.info["full_size"] = size
            return image
    except Image.DecompressionBombError:
        raise UnreadableImageError(_too_large("more than 179")) from None
    except UnidentifiedImageError:
        raise UnreadableImageError("not an image, or of a format that cannot be read") from None
    except (
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        struct.error,
        IndexError,
        KeyError,
    ) as error:
        raise UnreadableImageError(f"damaged: {error}") from None
    except (TypeError, AttributeError, OverflowError, ZeroDivisionError, MemoryError) as error:
        raise UnreadableImageError(f"damaged: {type(error).__name__}: {error}") from None


def check_pixels(width_px: int, height_px: int) -> None:
    """Raises UnreadableImageError where an image would take an absurd share of memory."""
    if width_px * height_px > MAX_PIXELS:
        raise UnreadableImageError(
            _too_large(f"{width_px} x {height_px} px = {width_px * height_px / 1e6:.0f}")
        )


def _too_large(size: str) -> str:
    return f"{size} megapixels; at most {MAX_PIXELS // 1_000_000} are decoded: make it smaller"


def to_rgb(image: Image.Image) -> Image.Image:
    """A decoded image of any mode to RGB: upright, transparency on white, 16 bit scaled to 8."""
    image = _upright(image)
    if image.mode.startswith(("I", "F")):
        return _from_deep(image)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (*WHITE, 255))
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, struct.error):
        # Broken EXIF says nothing about the rotation; the pixels are good.
        return image


def _from_deep(image: Image.Image) -> Image.Image:
    """Grey images of more than 8 bits a pixel to RGB, by the full range of their type.

    16-bit values are divided by 257, so that 65535 becomes 255. Mode `I` holds 32-bit integers,
    which in practice carry 8- or 16-bit values; floats are taken as [0, 1], or else [0, 255].
    """
    values = np.asarray(image).astype(np.float64)
    values = np.nan_to_num(values, nan=0.0, posinf=255.0, neginf=0.0)
    top = values.max(initial=0.0)
    if image.mode.startswith("I;16"):
        scale = 1 / 257
    elif image.mode == "F":
        scale = 255.0 if top <= 1.0 else 1.0
    elif top <= 255:
        scale = 1.0
    else:
        scale = 1 / 257 if top <= 65535 else 255 / (2**31 - 1)
    grey = np.clip(np.rint(values * scale), 0, 255).astype(np.uint8)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey[values == transparent] = 255
    return Image.fromarray(grey).convert("RGB")
