"""Decode any image file to an upright RGB image on white, or give the reason why not."""

import stat
import struct
import warnings
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from frostline.data.deep_pixels import ValueRange, is_deep, to_8_bits
from frostline.errors import DataError

# A photo of 108 megapixels is real (phones make them); 20,000 x 20,000 pixels take 1.2 GB.
MAX_PIXELS = 120_000_000

WHITE = (255, 255, 255)


class UnreadableImageError(DataError):
    """An image file that cannot be decoded; `given` is the reason only."""


def decode_file(path: Path, value_range: ValueRange | None = None) -> Image.Image:
    """Decode an image file.

    Args:
        path: The file.
        value_range: What is black and white in images of more than 8 bits; None: by their type.

    Returns:
        An RGB image: the first frame, upright according to its EXIF data, transparency on white,
        deeper than 8 bits scaled to them.

    Raises:
        UnreadableImageError: If the file is empty, truncated, not an image, or too large.
    """
    return decode_bytes(read_file(path), value_range)


def read_file(path: Path) -> bytes:
    """Read the bytes of a file.

    Raises:
        UnreadableImageError: If it does not exist, cannot be read, or is a pipe or a device, which
            could block for ever.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UnreadableImageError("not a file, but a folder, a pipe or a device")
        return path.read_bytes()
    except OSError as error:
        raise UnreadableImageError(error.strerror or str(error)) from None


def decode_bytes(data: bytes, value_range: ValueRange | None = None) -> Image.Image:
    """Decode the bytes of an image file; see `decode_file`.

    Raises:
        UnreadableImageError: If the bytes are empty, truncated, not an image, or too large.
    """
    return to_rgb(open_checked(data, full=True), value_range)


def open_checked(data: bytes, *, full: bool) -> Image.Image:
    """Open an image and decode its first frame.

    Args:
        data: The bytes of the file.
        full: Decode every pixel; otherwise JPEGs are decoded at an eighth of their size, which
            still reads the whole file and finds every truncation.

    Returns:
        The decoded image in its own mode.

    Raises:
        UnreadableImageError: If the bytes are empty, truncated, not an image, or too large.
    """
    if not data:
        raise UnreadableImageError("the file is empty")
    try:
        with warnings.catch_warnings():
            # Pillow warns below the limit that is checked here, and about broken metadata.
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
        raise UnreadableImageError(_unknown(data)) from None
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


def _unknown(data: bytes) -> str:
    """Why a file is no image that Pillow knows."""
    if data.startswith((b"\x93NUMPY", b"II*\0", b"MM\0*")):
        return "not an image of grey or colour; arrays and TIFFs of N channels need in_chans=N"
    return "not an image, or in a format that cannot be read"


def check_pixels(width_px: int, height_px: int) -> None:
    """Raise UnreadableImageError if an image has more than `MAX_PIXELS` pixels."""
    if width_px * height_px > MAX_PIXELS:
        raise UnreadableImageError(
            _too_large(f"{width_px} x {height_px} px = {width_px * height_px / 1e6:.0f}")
        )


def _too_large(size: str) -> str:
    return f"{size} megapixels; at most {MAX_PIXELS // 1_000_000} are decoded: make it smaller"


def to_rgb(image: Image.Image, value_range: ValueRange | None = None) -> Image.Image:
    """Convert a decoded image to RGB: upright, transparency on white, deep values scaled to 8 bits.

    Args:
        image: Of any mode.
        value_range: What is black and white in images of more than 8 bits; None: by their type.
    """
    image = upright(image)
    if is_deep(image.mode):
        return to_8_bits(image, value_range)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (*WHITE, 255))
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def upright(image: Image.Image) -> Image.Image:
    """Turn an image as its EXIF orientation says, in place."""
    try:
        # In place: a copy of 119 megapixels takes half a gigabyte.
        ImageOps.exif_transpose(image, in_place=True)
        return image
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, struct.error):
        # The EXIF data are broken, so the rotation is unknown; the pixels are fine.
        return image
