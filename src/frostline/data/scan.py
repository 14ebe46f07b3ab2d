"""Decode every image file once and store the result: a second start reads only what changed."""

import hashlib
import json
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from frostline.config.data_settings import RGB_CHANNELS
from frostline.cores import usable_cores
from frostline.data.cache import cache_folder, keep_sealed, kept_text
from frostline.data.channels import extent_of_planes, read_planes, takes_planes
from frostline.data.decode import UnreadableImageError, open_checked, read_file
from frostline.data.deep_pixels import extent_of, is_deep
from frostline.data.progress_bar import show_progress
from frostline.data.sample_table import BadImage, ImageFacts
from frostline.errors import DataError

# Raised when the decoder accepts or rejects other files than before, or records have other fields.
SCAN_VERSION = 3
# Files per task of a thread, so that the overhead of a task does not matter.
CHUNK = 32
MAX_LISTED = 100

log = logging.getLogger(__name__)


class ListedFile(NamedTuple):
    """A file as listed in its folder.

    Attributes:
        path: Relative to the root, with "/" between parts.
        n_bytes: Its size.
        mtime_ns: Time of its last change; this and what follows as in `FileStamp`.
        ctime_ns: Time of the last change of its inode.
        inode: Its number in the file system.
    """

    path: str
    n_bytes: int
    mtime_ns: int
    ctime_ns: int = -1
    inode: int = -1


class InspectedImage(NamedTuple):
    """Digest, size and mode of one image file, or the reason why it cannot be read.

    `low` and `high` are its smallest and largest value where it has more than 8 bits, else 0.
    """

    digest: str
    size_bytes: int
    width_px: int
    height_px: int
    mode: str
    reason: str
    low: float = 0.0
    high: float = 0.0


@dataclass(frozen=True)
class Scan:
    """Readable files with their properties, in the order given, and the unreadable ones."""

    good: tuple[str, ...]
    facts: ImageFacts
    bad: tuple[BadImage, ...]


def scan_files(root: Path, files: list[ListedFile], in_chans: int = RGB_CHANNELS) -> Scan:
    """Decode every file completely, except those decoded before that have not changed.

    A file counts as unchanged if its path, size, inode and both times (ns) are unchanged.

    Args:
        root: The folder that the paths are relative to.
        files: The files to read.
        in_chans: Channels that the network takes.

    Returns:
        The readable files in the order of `files`, and the others with the reason.
    """
    store = _place(root, in_chans)
    records = _read_store(store)
    changed = [file for file in files if records.get(file.path, (None,))[0] != file]
    if changed:
        records |= _read_all(root, changed, in_chans)
        _write_store(store, records)
    inspected = [(file, records[file.path][1]) for file in files]
    good = [(file, one) for file, one in inspected if not one.reason]
    return Scan(
        tuple(file.path for file, _ in good),
        facts_from([one for _, one in good]),
        tuple(BadImage(file.path, one.reason) for file, one in inspected if one.reason),
    )


def forget_file(root: Path, path: str, in_chans: int = RGB_CHANNELS) -> None:
    """Drop what is stored of a file that turned out to hold other bytes: it is read again.

    A file that is written twice within one tick of the clock keeps its size and its times.

    Args:
        root: The folder that the path is relative to.
        path: The file.
        in_chans: As for the scan.
    """
    store = _place(root, in_chans)
    records = _read_store(store)
    if records.pop(path, None) is not None:
        _write_store(store, records)


def facts_from(inspected: list[InspectedImage]) -> ImageFacts:
    """Return the properties of readable images, as columns."""
    return ImageFacts(
        tuple(one.digest for one in inspected),
        np.array([one.size_bytes for one in inspected], dtype=np.int64),
        np.array([one.width_px for one in inspected], dtype=np.int64),
        np.array([one.height_px for one in inspected], dtype=np.int64),
        tuple(one.mode for one in inspected),
        np.array([one.low for one in inspected], dtype=np.float64),
        np.array([one.high for one in inspected], dtype=np.float64),
    )


def inspect_image(data: bytes, in_chans: int = RGB_CHANNELS) -> InspectedImage:
    """Decode the bytes of one file, as cheaply as possible without missing any damage."""
    digest = hashlib.sha256(data).hexdigest()
    try:
        if takes_planes(data, in_chans):
            planes = read_planes(data, in_chans)
            mode, extent = f"{planes[0].mode} x {in_chans}", extent_of_planes(planes)
            return InspectedImage(digest, len(data), *planes[0].size, mode, "", *extent)
        image = open_checked(data, full=False)
    except UnreadableImageError as error:
        return InspectedImage(digest, len(data), 0, 0, "", error.given)
    width, height = image.info["full_size"]
    low, high = extent_of(image) if is_deep(image.mode) else (0.0, 0.0)
    return InspectedImage(digest, len(data), width, height, image.mode, "", low, high)


def report_unreadable(bad: Sequence[BadImage], *, on_bad_image: str, n_files: int) -> None:
    """Refuse a data set with unreadable images in one message, unless they are to be skipped.

    What is skipped is a finding of the table, which the plan of a sweep shows once.

    Args:
        bad: The unreadable images.
        on_bad_image: "error" or "skip".
        n_files: Number of files read.

    Raises:
        DataError: If there are any and `on_bad_image` is "error".
    """
    if not bad or on_bad_image == "skip":
        return
    others = [image for image in bad if "in_chans=" in image.reason]
    if len(others) == len(bad):
        first = f"{others[0].path}: {others[0].reason}"
        text = f"{len(bad)} of {n_files} images do not have the channels asked for, such as {first}"
        todo = "give in_chans as the files have it, or leave these out with"
    else:
        lines = [f"  {image.path}: {image.reason}" for image in bad[:MAX_LISTED]]
        if len(bad) > MAX_LISTED:
            lines.append(f"  and {len(bad) - MAX_LISTED} more")
        text = f"{len(bad)} of {n_files} images cannot be read:\n" + "\n".join(lines)
        todo = "repair or remove these files, or leave them out with"
    raise DataError(text, todo=f"{todo} data.on_bad_image=skip")


Records = dict[str, tuple[ListedFile, InspectedImage]]


def _read_all(root: Path, files: list[ListedFile], in_chans: int) -> Records:
    """Decode files in threads; Pillow and hashlib release Python's global lock."""

    def read(chunk: list[ListedFile]) -> list[InspectedImage]:
        return [_read_one(root / file.path, in_chans) for file in chunk]

    records: Records = {}
    chunks = [files[start : start + CHUNK] for start in range(0, len(files), CHUNK)]
    with (
        ThreadPoolExecutor(usable_cores()) as pool,
        show_progress("reading images", len(files)) as advance,
    ):
        for chunk, inspected in zip(chunks, pool.map(read, chunks), strict=True):
            pairs = zip(chunk, inspected, strict=True)
            records |= {file.path: (file, one) for file, one in pairs}
            advance(len(chunk))
    return records


def _read_one(path: Path, in_chans: int) -> InspectedImage:
    try:
        return inspect_image(read_file(path), in_chans)
    except UnreadableImageError as error:
        return InspectedImage("", 0, 0, 0, "", error.given)


def _place(root: Path, in_chans: int) -> Path:
    channels = "" if in_chans == RGB_CHANNELS else f"\0{in_chans} channels"
    text = f"{SCAN_VERSION}\0{root.resolve()}{channels}"
    return cache_folder("scans") / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"


def _read_store(store: Path) -> Records:
    text = kept_text(store)
    if text is None:
        return {}
    try:
        columns: dict[str, list[Any]] = json.loads(text)
        files = map(ListedFile, *(columns[name] for name in ListedFile._fields))
        inspected = map(InspectedImage, *(columns[name] for name in InspectedImage._fields))
        return {file.path: (file, one) for file, one in zip(files, inspected, strict=True)}
    except (ValueError, KeyError, TypeError):
        log.warning("the stored results of earlier scans are damaged; all files are read again")
        return {}


def _write_store(store: Path, records: Records) -> None:
    # A file that could not be opened has no digest. The cause may go away without a change of the
    # file (permissions, a disk that was not available), so it is tried again each time.
    records = {path: (file, one) for path, (file, one) in records.items() if one.digest}
    columns: dict[str, list[Any]] = {
        name: [getattr(file, name) for file, _ in records.values()] for name in ListedFile._fields
    }
    columns |= {
        name: [getattr(one, name) for _, one in records.values()] for name in InspectedImage._fields
    }
    keep_sealed(store, json.dumps(columns), what="the results of the scan")
