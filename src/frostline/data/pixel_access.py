"""Images of one size, by row of a table: from memory, a mapped file, or decoded on each access."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import xxhash
from numpy.typing import NDArray

from frostline.data.geometry import Geometry, square

if TYPE_CHECKING:
    from frostline.data.channels import Picture

log = logging.getLogger(__name__)
Images = NDArray[np.uint8]
Sums = NDArray[np.uint64]


class Pixels(ABC):
    """Images of all rows of a table, squares or rectangles of one size."""

    is_decoded_on_the_fly: bool

    @abstractmethod
    def take(self, rows: NDArray[np.int64]) -> Images:
        """The images of some rows: (n, S, S, C) uint8, a copy."""


class OnTheFlyPixels(Pixels):
    """Images decoded on each access."""

    is_decoded_on_the_fly = True

    def __init__(
        self, open_image: Callable[[str], "Picture"], items: tuple[str, ...], geometry: Geometry
    ) -> None:
        self._open_image = open_image
        self._items = items
        self._geometry = geometry

    def take(self, rows: NDArray[np.int64]) -> Images:
        """The images of some rows: (n, S, S, C) uint8."""
        return np.stack([self.decode(row) for row in rows.tolist()])

    def decode(self, row: int) -> Images:
        """Decode one image: (S, S, C) uint8."""
        return square(self._open_image(self._items[row]), self._geometry)


class StoredPixels(Pixels):
    """Decoded images in memory."""

    is_decoded_on_the_fly = False

    def __init__(self, array: Images) -> None:
        self.array = array

    def take(self, rows: NDArray[np.int64]) -> Images:
        """The images of some rows: (n, S, S, C) uint8, a copy."""
        return np.asarray(self.array[rows])


class MappedPixels(StoredPixels):
    """Decoded images in a mapped file, each compared with its checksum when it is read."""

    def __init__(self, array: Images, sums: Sums, source: OnTheFlyPixels) -> None:
        super().__init__(array)
        self._sums = sums
        self._source = source
        self._is_reported = False

    def take(self, rows: NDArray[np.int64]) -> Images:
        """The images of some rows: (n, S, S, C) uint8, a copy."""
        taken = super().take(rows)
        for place in np.flatnonzero(sums_of(taken) != self._sums[rows]).tolist():
            if not self._is_reported:
                self._is_reported = True
                log.warning("images in a damaged file of the cache are decoded again")
            taken[place] = self._source.decode(int(rows[place]))
        return taken


def sums_of(images: Images) -> Sums:
    """A checksum for each of some images (n, S, S, C): (n,) uint64."""
    return np.array([xxhash.xxh3_64_intdigest(image.data) for image in images], dtype=np.uint64)
