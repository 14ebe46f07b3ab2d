"""Which files of a folder are images, and what else lies there."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from frostline.data.sample_table import name_some
from frostline.data.scan import ListedFile
from frostline.errors import DataError

# fmt: off
IMAGE_SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".avif",
    ".jp2", ".ppm", ".pgm", ".pbm", ".pnm", ".tga",
})
# Photos and drawings that Pillow does not read: silence about them would surprise.
FOREIGN_SUFFIXES = frozenset({
    ".heic", ".heif", ".svg", ".psd", ".cr2", ".nef", ".arw", ".dng", ".raw", ".xcf",
})
# fmt: on
STRAY_NAMES = frozenset({"__macosx", "thumbs.db", "desktop.ini", "lost+found", "$recycle.bin"})


@dataclass
class Listing:
    """What a walk through a folder found.

    Attributes:
        files: Image files, sorted by path.
        folders: All folders walked, relative to the root, sorted.
        stray: Hidden and system files and folders that were passed over.
        linked: Links to folders that are walked under another name already.
        other: Number of other files, by extension.
    """

    files: list[ListedFile] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    stray: list[str] = field(default_factory=list)
    linked: list[str] = field(default_factory=list)
    other: Counter[str] = field(default_factory=Counter)

    def notes(self) -> list[str]:
        """What was passed over, in sentences."""
        notes = []
        if self.stray:
            notes.append(f"passed over hidden and system files: {name_some(sorted(self.stray), 5)}")
        if self.linked:
            named = name_some(sorted(self.linked), 5)
            notes.append(f"passed over links to folders that are read already: {named}")
        foreign = {suffix: n for suffix, n in self.other.items() if suffix in FOREIGN_SUFFIXES}
        if foreign:
            listed = ", ".join(f"{n} {suffix}" for suffix, n in sorted(foreign.items()))
            notes.append(f"left out images of a format that cannot be read: {listed}")
        plain = {suffix: n for suffix, n in self.other.items() if suffix not in FOREIGN_SUFFIXES}
        if plain:
            listed = ", ".join(f"{n} {suffix or 'without'}" for suffix, n in sorted(plain.items()))
            notes.append(f"passed over files that are no images by their extension: {listed}")
        return notes


def is_stray(name: str) -> bool:
    """True for what systems and tools leave behind: hidden, `._x.jpg`, `__MACOSX`, `Thumbs.db`."""
    return name.startswith(".") or name.casefold() in STRAY_NAMES


def list_images(root: Path) -> Listing:
    """Walk a folder, following links to folders once.

    Args:
        root: The folder.

    Returns:
        Images by extension, in any case; hidden and system files are passed over and named.

    Raises:
        DataError: If a folder cannot be read.
    """
    listing = Listing()
    seen = {os.path.realpath(root)}
    for relative, entry in _walk(root, "", listing, seen):
        stem, dot, end = entry.name.rpartition(".")
        suffix = f".{end.lower()}" if stem and dot else ""
        if suffix not in IMAGE_SUFFIXES:
            listing.other[suffix] += 1
            continue
        try:
            stat = entry.stat()
        except OSError:
            # A broken link: read later, and reported there as what it is.
            listing.files.append(ListedFile(relative, -1, -1))
            continue
        listing.files.append(ListedFile(relative, stat.st_size, stat.st_mtime_ns))
    listing.files.sort(key=lambda file: file.path)
    listing.folders.sort()
    return listing


def _walk(
    folder: Path, prefix: str, listing: Listing, seen: set[str]
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    try:
        with os.scandir(folder) as entries:
            # Links last: a folder is known by its own name, not by that of a link beside it.
            found = sorted(entries, key=lambda entry: (entry.is_symlink(), entry.name))
    except OSError as error:
        raise DataError(
            f"the folder {folder} cannot be read: {error.strerror or error}",
            todo="make it readable, or move it out of the data set",
        ) from None
    for entry in found:
        relative = prefix + entry.name
        if is_stray(entry.name):
            listing.stray.append(relative)
        elif _is_folder(entry):
            real = os.path.realpath(entry.path)
            if real in seen:
                listing.linked.append(relative)
                continue
            seen.add(real)
            listing.folders.append(relative)
            yield from _walk(Path(entry.path), f"{relative}/", listing, seen)
        else:
            yield relative, entry


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """True for folders and links to them; a link that leads round in a circle is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False
