"""Images by their channels: grey for one, colour for three, arrays and TIFFs for any other number.

Three channels are read as everywhere: any file, in colour, on white. One channel is the grey of
that. For other numbers a file must hold just as many: a NumPy array (.npy), a TIFF, or an image
such as RGBA whose transparency is then a channel like the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from frostline.config.data_settings import RGB_CHANNELS
from frostline.data.decode import (
    UnreadableImageError,
    check_pixels,
    decode_bytes,
    open_checked,
    read_file,
    upright,
)
from frostline.data.deep_pixels import ValueRange, extent_of, guessed_range, is_deep, to_8_bits

ARRAY_SUFFIX = ".npy"
_ARRAY_START = b"\x93NUMPY"
_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


@dataclass(frozen=True)
class Channels:
    """An image as one grey picture (mode L) for each channel, all of one size."""

    planes: tuple[Image.Image, ...]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.planes[0].size


# What a network takes: a colour image, or any number of channels.
Picture = Image.Image | Channels


def read_image(path: Path, value_range: ValueRange | None, in_chans: int) -> Picture:
    """Decode an image file; see `image_from`."""
    return image_from(read_file(path), value_range, in_chans)


def image_from(data: bytes, value_range: ValueRange | None, in_chans: int) -> Picture:
    """Decode the bytes of an image file for a number of channels.

    Args:
        data: The bytes.
        value_range: What is black and white in values of more than 8 bits; None: by their type.
        in_chans: Channels that the network takes.

    Returns:
        An upright RGB image on white for one and three channels, of which `with_channels` makes
        grey; for arrays and for other numbers the channels as they are in the file.

    Raises:
        UnreadableImageError: If it cannot be decoded, or has another number of channels.
    """
    if not takes_planes(data, in_chans):
        return decode_bytes(data, value_range)
    planes = read_planes(data, in_chans)
    return Channels(_in_8_bits(planes, value_range))


def takes_arrays(in_chans: int) -> bool:
    """Whether NumPy arrays in a folder are images: not for colour, of which they stood beside."""
    return in_chans != RGB_CHANNELS


def takes_planes(data: bytes, in_chans: int) -> bool:
    """Whether a file is read channel by channel, and not as a colour image."""
    return in_chans not in {1, RGB_CHANNELS} or (in_chans == 1 and data.startswith(_ARRAY_START))


def with_channels(image: Picture, in_chans: int) -> Picture:
    """Give an image a number of channels: grey of colour, or a picture in colour of any.

    Args:
        image: As `image_from` returns it.
        in_chans: 1, 3, or the number that the image has.
    """
    if isinstance(image, Channels):
        planes = image.planes
        if in_chans != RGB_CHANNELS or len(planes) == in_chans:
            return image
        return Image.merge("RGB", planes[:3] if len(planes) > RGB_CHANNELS else planes[:1] * 3)
    return Channels((image.convert("L"),)) if in_chans == 1 else image


def pixels_of(image: Picture) -> NDArray[np.uint8]:
    """The values of an image: (H, W, C) uint8."""
    if isinstance(image, Channels):
        return np.stack([np.asarray(plane) for plane in image.planes], axis=2)
    return np.asarray(image)


def in_colour(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture (H, W, 3) to show of values (H, W, C): the first three channels, or the first."""
    if pixels.shape[2] == RGB_CHANNELS:
        return pixels
    first = RGB_CHANNELS if pixels.shape[2] > RGB_CHANNELS else 1
    shown = np.ascontiguousarray(pixels[:, :, :first])
    return shown if first == RGB_CHANNELS else np.repeat(shown, RGB_CHANNELS, axis=2)


def read_planes(data: bytes, in_chans: int) -> list[Image.Image]:
    """Read the channels of a file, each in the mode of its values.

    Raises:
        UnreadableImageError: If it cannot be decoded, or has another number of channels.
    """
    if data.startswith(_ARRAY_START):
        return _planes_of(_array_of(data), in_chans)
    try:
        image = open_checked(data, full=True)
    except UnreadableImageError:
        if not data.startswith(_TIFF_STARTS):
            raise
        return _planes_of(_tiff_of(data), in_chans)
    if len(image.getbands()) == in_chans and image.mode != "P":
        return list(upright(image).split())
    if getattr(image, "n_frames", 1) == in_chans and len(image.getbands()) == 1:
        return [_frame(image, number) for number in range(in_chans)]
    n_bands = len(image.getbands())
    raise _wrong_number(f"{n_bands} channel{'s' * (n_bands > 1)} ({image.mode})", in_chans)


def extent_of_planes(planes: Sequence[Image.Image]) -> ValueRange:
    """The smallest and the largest value of all channels of more than 8 bits, else (0, 0)."""
    extents = [extent_of(plane) for plane in planes if is_deep(plane.mode)]
    return (min(e[0] for e in extents), max(e[1] for e in extents)) if extents else (0.0, 0.0)


def _in_8_bits(
    planes: Sequence[Image.Image], value_range: ValueRange | None
) -> tuple[Image.Image, ...]:
    """All channels by one range, so that they stay comparable with each other."""
    used = value_range or guessed_range(planes[0].mode, extent_of_planes(planes)[1])
    return tuple(
        to_8_bits(plane, used).getchannel(0) if is_deep(plane.mode) else plane.convert("L")
        for plane in planes
    )


def _frame(image: Image.Image, number: int) -> Image.Image:
    image.seek(number)
    return image.copy()


def _array_of(data: bytes) -> NDArray[Any]:
    try:
        array = np.load(BytesIO(data), allow_pickle=False)
    except (ValueError, OSError, EOFError, MemoryError) as error:
        raise UnreadableImageError(f"damaged: {error}") from None
    return np.asarray(array)


def _tiff_of(data: bytes) -> NDArray[Any]:
    """Read a TIFF that Pillow does not know."""
    try:
        import tifffile
    except ImportError:
        raise UnreadableImageError(
            "a TIFF of several channels: `pip install tifffile` reads it, or save it as .npy"
        ) from None
    try:
        return np.asarray(tifffile.imread(BytesIO(data)))
    except Exception as error:  # the library raises many kinds for what it cannot read
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UnreadableImageError(f"a TIFF that cannot be read: {reason}") from None


def _planes_of(array: NDArray[Any], in_chans: int) -> list[Image.Image]:
    """The channels of an array (H, W, C), (C, H, W), or (H, W) for one."""
    if array.ndim == 2 and in_chans == 1:
        array = array[:, :, None]
    if array.ndim != 3 or in_chans not in {array.shape[0], array.shape[2]} or not array.size:
        raise _wrong_number(f"the shape {tuple(array.shape)}", in_chans)
    if array.shape[2] != in_chans:
        array = np.moveaxis(array, 0, 2)
    check_pixels(array.shape[1], array.shape[0])
    return [Image.fromarray(_plain(array[:, :, channel])) for channel in range(in_chans)]


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    """Values in a type that Pillow has: 8 and 16 bits, 32-bit integers, floats."""
    kind, size = values.dtype.kind, values.dtype.itemsize
    if kind == "b":
        return np.where(values, np.uint8(255), np.uint8(0))
    if kind not in "iuf":
        raise UnreadableImageError(f"its values are {values.dtype}: numbers are needed")
    if kind == "u" and size <= 2:
        return np.ascontiguousarray(values.astype(values.dtype.newbyteorder("=")))
    small = kind == "i" and size <= 4
    return np.ascontiguousarray(values.astype(np.int32 if small else np.float32))


def _wrong_number(found: str, in_chans: int) -> UnreadableImageError:
    return UnreadableImageError(f"it has {found}, and in_chans={in_chans}")
