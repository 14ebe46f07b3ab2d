"""List image files by files, folders and patterns, and decode them in batches in threads."""

import glob
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostline.data.channels import read_image
from frostline.data.decode import UnreadableImageError
from frostline.data.deep_pixels import ValueRange
from frostline.data.geometry import Geometry, square
from frostline.data.listing import UNSUPPORTED_SUFFIXES, list_images
from frostline.errors import DataError

Square = NDArray[np.uint8]
# Batches that are decoded ahead of the one that the network works on.
AHEAD_BATCHES = 2


@dataclass(frozen=True)
class Decoded:
    """One batch of files.

    Attributes:
        paths: B files.
        images: (G, S, S, C) uint8, those that could be decoded, in order.
        good: (B) bool, which of the files those are.
        errors: Position in the batch to the reason why that file could not be decoded.
    """

    paths: Sequence[Path]
    images: Square
    good: NDArray[np.bool_]
    errors: dict[int, str]


@dataclass(frozen=True)
class Found:
    """What the arguments name.

    Attributes:
        files: Image files, in the order of the arguments, each once.
        unsupported: Images in formats that cannot be read, by suffix: they are left out.
        other: Number of other files in the folders.
    """

    files: list[Path]
    unsupported: Counter[str]
    other: int

    def notes(self) -> list[str]:
        """What is left out, in words."""
        notes = []
        if self.unsupported:
            counts = ", ".join(f"{n} {suffix}" for suffix, n in sorted(self.unsupported.items()))
            notes.append(
                f"left out, formats that cannot be read: {counts} (convert them to JPEG or PNG)"
            )
        if self.other:
            notes.append(f"left out, no images by their names: {self.other}")
        return notes


def find_images(given: Sequence[str], *, arrays: bool = False) -> Found:
    """List the image files that the arguments name, in their order, each once.

    Args:
        given: Files (of any name), folders (searched recursively for image files), glob patterns.
        arrays: Whether NumPy arrays are images, too: see `takes_arrays`.

    Raises:
        DataError: If a file or folder does not exist, or there is no image file.
    """
    files: dict[Path, None] = {}
    others: Counter[str] = Counter()
    for word in given:
        path = Path(word).expanduser()
        if path.is_dir():
            listing = list_images(path, arrays=arrays)
            files |= dict.fromkeys(path / image.path for image in listing.files)
            others += listing.other
        elif path.exists():
            files[path] = None
        else:
            matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 (absolute ones too)
            if not matches:
                raise DataError(f"{word}: there is no such file or folder", "files, folders, globs")
            files |= dict.fromkeys(path for path in map(Path, matches) if path.is_file())
    unsupported = Counter({s: n for s, n in others.items() if s in UNSUPPORTED_SUFFIXES})
    found = Found(list(files), unsupported, others.total() - unsupported.total())
    if not files:
        left_out = "".join(f"; {note}" for note in found.notes())
        raise DataError(f"no image file in {', '.join(given)}{left_out}", "files, folders, globs")
    return found


def decode_batches(
    paths: Sequence[Path],
    geometry: Geometry,
    *,
    batch_size: int,
    threads: int,
    value_range: ValueRange | None = None,
) -> Iterator[Decoded]:
    """Decode files in threads, a few batches ahead of the consumer.

    Args:
        paths: The files.
        geometry: The square that each image becomes.
        batch_size: B.
        threads: Number of threads; Pillow and numpy release the GIL.
        value_range: What is black and white in images of more than 8 bits.

    Yields:
        Batches in the order of the files; a damaged file is an entry of `errors`.
    """
    chunks = [paths[first : first + batch_size] for first in range(0, len(paths), batch_size)]
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[tuple[Sequence[Path], list[Future[Square | str]]]] = deque()
        for chunk in chunks:
            waiting.append(
                (chunk, [pool.submit(_decode, path, geometry, value_range) for path in chunk])
            )
            if len(waiting) > AHEAD_BATCHES:
                yield _gather(*waiting.popleft(), geometry)
        while waiting:
            yield _gather(*waiting.popleft(), geometry)


def _decode(path: Path, geometry: Geometry, value_range: ValueRange | None) -> Square | str:
    try:
        return square(read_image(path, value_range, geometry.in_chans), geometry)
    except UnreadableImageError as error:
        return error.given


def _gather(
    paths: Sequence[Path], futures: Sequence["Future[Square | str]"], geometry: Geometry
) -> Decoded:
    results = [future.result() for future in futures]
    images = [result for result in results if not isinstance(result, str)]
    return Decoded(
        paths,
        np.stack(images) if images else np.empty((0, *geometry.shape, geometry.in_chans), np.uint8),
        np.array([not isinstance(result, str) for result in results]),
        {position: result for position, result in enumerate(results) if isinstance(result, str)},
    )
