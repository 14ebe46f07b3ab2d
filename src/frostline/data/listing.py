"""Find the image files of a folder, and report what else is in it."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from frostline.data.channels import ARRAY_SUFFIX
from frostline.data.reading_notes import ReadingNotes
from frostline.data.sample_table import name_some
from frostline.data.scan import ListedFile
from frostline.errors import DataError
from frostline.files import FileStamp

# fmt: off
IMAGE_SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".avif",
    ".jp2", ".ppm", ".pgm", ".pbm", ".pnm", ".tga",
})
# Photos and drawings that Pillow cannot read. They are named, since users expect them to be read.
UNSUPPORTED_SUFFIXES = frozenset({
    ".heic", ".heif", ".svg", ".psd", ".cr2", ".nef", ".arw", ".dng", ".raw", ".xcf",
})
# fmt: on
SYSTEM_NAMES = frozenset({"__macosx", "thumbs.db", "desktop.ini", "lost+found", "$recycle.bin"})


@dataclass
class Listing:
    """The contents of a folder and its subfolders.

    Attributes:
        files: Image files, sorted by path.
        folders: All subfolders, relative to the root, sorted.
        hidden: Hidden and system files and folders, which are ignored.
        duplicate_links: Links to folders that are already listed under another name.
        other: Number of other files, by extension.
        other_files: Their paths.
    """

    files: list[ListedFile] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    duplicate_links: list[str] = field(default_factory=list)
    other: Counter[str] = field(default_factory=Counter)
    other_files: list[str] = field(default_factory=list)

    def add_notes(self, notes: ReadingNotes) -> None:
        """Describe what is ignored."""
        if self.hidden:
            named = name_some(sorted(self.hidden), 5)
            notes.add(
                f"ignored hidden and system files: {named}",
                "hidden and system files",
                self.hidden,
            )
        if self.duplicate_links:
            named = name_some(sorted(self.duplicate_links), 5)
            notes.add(
                f"ignored links to folders that are already read: {named}",
                "links to folders",
                self.duplicate_links,
            )
        unsupported = _counts(self.other, unsupported=True)
        if unsupported:
            notes.add(f"ignored images in formats that cannot be read: {unsupported}")
        other = _counts(self.other, unsupported=False)
        if other:
            notes.add(f"ignored files without an image extension: {other}")
        if self.other_files:
            notes.lists["other files"] = list(self.other_files)


def _counts(suffixes: Counter[str], *, unsupported: bool) -> str:
    return ", ".join(
        f"{n} {suffix or 'without extension'}"
        for suffix, n in sorted(suffixes.items())
        if (suffix in UNSUPPORTED_SUFFIXES) is unsupported
    )


def is_hidden(name: str) -> bool:
    """Return whether a file is hidden or the system's: `._x.jpg`, `__MACOSX`, `Thumbs.db`."""
    return name.startswith(".") or name.casefold() in SYSTEM_NAMES


def list_images(root: Path, *, arrays: bool = False) -> Listing:
    """List the images of a folder and its subfolders; links to folders are followed once.

    Args:
        root: The folder.
        arrays: Whether NumPy arrays are images, too: for other channels than colour.

    Returns:
        The images, by extension in upper or lower case, and what is ignored.

    Raises:
        DataError: If a folder cannot be read.
    """
    listing = Listing()
    visited = {os.path.realpath(root)}
    for relative, entry in _walk(root, "", listing, visited):
        stem, dot, extension = entry.name.rpartition(".")
        suffix = f".{extension.lower()}" if stem and dot else ""
        if suffix not in IMAGE_SUFFIXES and not (arrays and suffix == ARRAY_SUFFIX):
            listing.other[suffix] += 1
            listing.other_files.append(relative)
            continue
        try:
            stat = entry.stat()
        except OSError:
            # A broken link: reported as unreadable when it is read.
            listing.files.append(ListedFile(relative, -1, -1))
            continue
        listing.files.append(ListedFile(relative, *FileStamp.of(stat)))
    listing.files.sort(key=lambda file: file.path)
    listing.folders.sort()
    return listing


def _walk(
    folder: Path, prefix: str, listing: Listing, visited: set[str]
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    try:
        with os.scandir(folder) as entries:
            # Links last, so that a folder is listed by its own name rather than that of a link.
            ordered = sorted(entries, key=lambda entry: (entry.is_symlink(), entry.name))
    except OSError as error:
        raise DataError(
            f"the folder {folder} cannot be read: {error.strerror or error}",
            todo="make it readable, or move it out of the data set",
        ) from None
    for entry in ordered:
        relative = prefix + entry.name
        if is_hidden(entry.name):
            listing.hidden.append(relative)
        elif _is_folder(entry):
            real = os.path.realpath(entry.path)
            if real in visited:
                listing.duplicate_links.append(relative)
                continue
            visited.add(real)
            listing.folders.append(relative)
            yield from _walk(Path(entry.path), f"{relative}/", listing, visited)
        else:
            yield relative, entry


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether it is a folder or a link to one; a circular link is not."""
    try:
        return entry.is_dir()
    except OSError:
        return False
