"""Files, folders and patterns to a list of images, and images to batches as fast as they decode."""

import glob
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostline.data.decode import UnreadableImageError, decode_file
from frostline.data.geometry import Geometry, square
from frostline.data.listing import list_images
from frostline.errors import DataError

Square = NDArray[np.uint8]
# Images that are decoded ahead of the batch that the network works on.
AHEAD_BATCHES = 2


@dataclass(frozen=True)
class Decoded:
    """One batch of files.

    Attributes:
        paths: B files.
        images: (G, S, S, 3) uint8, those that could be decoded, in order.
        good: (B) bool, which of the files those are.
        errors: Of each file that could not be decoded, by its place in the batch.
    """

    paths: Sequence[Path]
    images: Square
    good: NDArray[np.bool_]
    errors: dict[int, str]


def find_images(given: Sequence[str]) -> list[Path]:
    """The image files that are meant, in the order given, each once.

    Args:
        given: Files (of any name), folders (searched in depth for image files) and glob patterns.

    Raises:
        DataError: If something given is not there, or nothing is an image file.
    """
    found: dict[Path, None] = {}
    for word in given:
        path = Path(word).expanduser()
        if path.is_dir():
            found |= dict.fromkeys(path / file.path for file in list_images(path).files)
        elif path.exists():
            found[path] = None
        else:
            matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 (absolute ones too)
            if not matches:
                raise DataError(f"{word}: there is no such file or folder", "files, folders, globs")
            files = [Path(match) for match in matches]
            found |= dict.fromkeys(file for file in files if file.is_file())
    if not found:
        raise DataError(f"no image file in {', '.join(given)}", "files, folders, globs")
    return list(found)


def decode_batches(
    paths: Sequence[Path], geometry: Geometry, *, batch_size: int, threads: int
) -> Iterator[Decoded]:
    """Decode files in threads, a few batches ahead of whoever takes them.

    Args:
        paths: The files.
        geometry: The square that each image becomes.
        batch_size: B.
        threads: How many decode at once; Pillow and numpy let go of Python's lock.

    Yields:
        Batches in the order of the files; a damaged file is an entry of `errors`.
    """
    chunks = [paths[first : first + batch_size] for first in range(0, len(paths), batch_size)]
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[tuple[Sequence[Path], list[Future[Square | str]]]] = deque()
        for chunk in chunks:
            waiting.append((chunk, [pool.submit(_decode, path, geometry) for path in chunk]))
            if len(waiting) > AHEAD_BATCHES:
                yield _gathered(*waiting.popleft(), geometry.size_px)
        while waiting:
            yield _gathered(*waiting.popleft(), geometry.size_px)


def _decode(path: Path, geometry: Geometry) -> Square | str:
    try:
        return square(decode_file(path), geometry)
    except UnreadableImageError as error:
        return error.given


def _gathered(
    paths: Sequence[Path], futures: Sequence["Future[Square | str]"], size_px: int
) -> Decoded:
    results = [future.result() for future in futures]
    images = [result for result in results if not isinstance(result, str)]
    return Decoded(
        paths,
        np.stack(images) if images else np.empty((0, size_px, size_px, 3), np.uint8),
        np.array([not isinstance(result, str) for result in results]),
        {place: result for place, result in enumerate(results) if isinstance(result, str)},
    )
