"""Every image file decoded once, and remembered: a second start reads only what changed."""

import hashlib
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from frostline.cores import usable_cores
from frostline.data.cache import cache_folder
from frostline.data.decode import UnreadableImageError, open_checked, read_file
from frostline.data.progress_bar import show_progress
from frostline.data.sample_table import BadImage, ImageFacts
from frostline.errors import DataError
from frostline.files import replacing

# Raised when the decoder learns to read or refuse other files.
SCAN_VERSION = 1
# Files handed to a thread at a time: enough to make the hand-over cheap.
CHUNK = 32
MAX_LISTED = 100

log = logging.getLogger(__name__)


class ListedFile(NamedTuple):
    """A file as the folder lists it.

    Attributes:
        path: Relative to the root, with "/" between parts.
        n_bytes: Its size.
        mtime_ns: When it was last changed.
    """

    path: str
    n_bytes: int
    mtime_ns: int


class InspectedImage(NamedTuple):
    """What reading one file told: digest, size, mode; or the reason why it failed."""

    digest: str
    size_bytes: int
    width_px: int
    height_px: int
    mode: str
    reason: str


@dataclass(frozen=True)
class Scan:
    """Good files with their facts, in the order given, and the bad ones."""

    good: tuple[str, ...]
    facts: ImageFacts
    bad: tuple[BadImage, ...]


def scan_files(root: Path, files: list[ListedFile]) -> Scan:
    """Decode every file fully, except those that were decoded before and have not changed.

    A file counts as unchanged if its path, size and modification time (ns) are.

    Args:
        root: The folder that the paths are relative to.
        files: What to read.

    Returns:
        Readable files in the order of `files`, and the others with the reason.
    """
    store = cache_folder("scans") / f"{_key(root)}.json"
    known = _read_store(store)
    fresh = [file for file in files if known.get(file.path, (None,))[0] != file]
    if fresh:
        known |= _read_all(root, fresh)
        _write_store(store, known)
    seen = [(file, known[file.path][1]) for file in files]
    good = [(file, one) for file, one in seen if not one.reason]
    return Scan(
        tuple(file.path for file, _ in good),
        facts_from([one for _, one in good]),
        tuple(BadImage(file.path, one.reason) for file, one in seen if one.reason),
    )


def facts_from(seen: list[InspectedImage]) -> ImageFacts:
    """The facts of readable images, as columns."""
    return ImageFacts(
        tuple(one.digest for one in seen),
        np.array([one.size_bytes for one in seen], dtype=np.int64),
        np.array([one.width_px for one in seen], dtype=np.int64),
        np.array([one.height_px for one in seen], dtype=np.int64),
        tuple(one.mode for one in seen),
    )


def inspect_image(data: bytes) -> InspectedImage:
    """Decode the bytes of one file, at the least cost that finds every damage."""
    digest = hashlib.sha256(data).hexdigest()
    try:
        image = open_checked(data, full=False)
    except UnreadableImageError as error:
        return InspectedImage(digest, len(data), 0, 0, "", error.given)
    width, height = image.info["full_size"]
    return InspectedImage(digest, len(data), width, height, image.mode, "")


def report_unreadable(bad: tuple[BadImage, ...], *, on_bad_image: str, n_files: int) -> None:
    """Name all unreadable images in one message: an error, or a warning if they may be skipped.

    Args:
        bad: The unreadable ones.
        on_bad_image: "error" or "skip".
        n_files: Number of files read.

    Raises:
        DataError: If there are any and `on_bad_image` is "error".
    """
    if not bad:
        return
    lines = [f"  {image.path}: {image.reason}" for image in bad[:MAX_LISTED]]
    if len(bad) > MAX_LISTED:
        lines.append(f"  and {len(bad) - MAX_LISTED} more")
    text = f"{len(bad)} of {n_files} images cannot be read:\n" + "\n".join(lines)
    if on_bad_image == "skip":
        log.warning("%s\n  they are left out (data.on_bad_image=skip)", text)
        return
    raise DataError(
        text, todo="repair or remove these files, or leave them out with data.on_bad_image=skip"
    )


Known = dict[str, tuple[ListedFile, InspectedImage]]


def _read_all(root: Path, files: list[ListedFile]) -> Known:
    """Decode files in threads; Pillow and hashlib let go of Python's lock."""

    def read(chunk: list[ListedFile]) -> list[InspectedImage]:
        return [_read_one(root / file.path) for file in chunk]

    found: Known = {}
    chunks = [files[start : start + CHUNK] for start in range(0, len(files), CHUNK)]
    with (
        ThreadPoolExecutor(usable_cores()) as pool,
        show_progress("reading images", len(files)) as advance,
    ):
        for chunk, seen in zip(chunks, pool.map(read, chunks), strict=True):
            found |= {file.path: (file, one) for file, one in zip(chunk, seen, strict=True)}
            advance(len(chunk))
    return found


def _read_one(path: Path) -> InspectedImage:
    try:
        return inspect_image(read_file(path))
    except UnreadableImageError as error:
        return InspectedImage("", 0, 0, 0, "", error.given)


def _key(root: Path) -> str:
    return hashlib.sha256(f"{SCAN_VERSION}\0{root.resolve()}".encode()).hexdigest()[:32]


def _read_store(store: Path) -> Known:
    try:
        columns: dict[str, list[Any]] = json.loads(store.read_text())
        files = map(ListedFile, *(columns[name] for name in ListedFile._fields))
        seen = map(InspectedImage, *(columns[name] for name in InspectedImage._fields))
        return {file.path: (file, one) for file, one in zip(files, seen, strict=True)}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, OSError):
        log.warning("the notes on files read before are damaged; all files are read again")
        return {}


def _write_store(store: Path, known: Known) -> None:
    # What could not even be read has no digest. That may be mended without a change of the file
    # (rights, a disk that answers again), so it is tried again each time.
    known = {path: (file, one) for path, (file, one) in known.items() if one.digest}
    columns: dict[str, list[Any]] = {
        name: [getattr(file, name) for file, _ in known.values()] for name in ListedFile._fields
    }
    columns |= {
        name: [getattr(one, name) for _, one in known.values()] for name in InspectedImage._fields
    }
    try:
        with replacing(store) as temporary:
            temporary.write_text(json.dumps(columns))
    except OSError as error:
        log.warning("which files were read is not kept for the next start: %s", error)
