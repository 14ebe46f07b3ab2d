"""From labelled image files to a table: what folder, csv and archive share."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from unicodedata import category

from frostline.config.data_settings import RGB_CHANNELS
from frostline.data.class_names import spelling
from frostline.data.decode import read_file
from frostline.data.groups import group_images
from frostline.data.layout import LabelledImage
from frostline.data.reading_notes import ReadingNotes
from frostline.data.sample_table import BadImage, SampleTable, name_some
from frostline.data.scan import ListedFile, forget_file, report_unreadable, scan_files
from frostline.data.sources.build_table import build_table
from frostline.errors import DataError

# Unicode categories that break a table or a terminal: control characters, bytes that are not UTF-8,
# line and paragraph separators. Unusual spaces (macOS writes one before "PM"), joined emoji and the
# marks of right-to-left scripts occur in real names and are allowed.
_FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})


@dataclass(frozen=True)
class FileOptions:
    """Options of every source of image files.

    Attributes:
        on_bad_image: "error": unreadable images are an error; "skip": they are left out.
        group_by: A column, a .json of groups or a regular expression; None: no groups.
        names: Set of known class names whose spelling is used, such as "plantvillage".
        rename: Class names to other class names.
        min_classes: As in the table.
        value_range: `auto`, or what is black and white in images of more than 8 bits.
        in_chans: Channels that the network takes.
    """

    on_bad_image: str
    group_by: str | None = None
    names: str | None = None
    rename: Mapping[str, str] | None = None
    min_classes: int = 2
    value_range: Sequence[float] | str = "auto"
    in_chans: int = RGB_CHANNELS


@dataclass(frozen=True)
class FileReader:
    """Reads files below a folder by their relative path."""

    root: Path
    in_chans: int = RGB_CHANNELS

    def __call__(self, item: str) -> bytes:
        """Read the bytes of a file.

        Raises:
            UnreadableImageError: If it cannot be read.
        """
        return read_file(self.root / item)

    def forget(self, item: str) -> None:
        """Let the next scan read a file again, because it holds other bytes."""
        forget_file(self.root, item, self.in_chans)


def existing_path(path: str) -> Path:
    """Resolve a path relative to the working directory, with `~` for the home folder.

    Raises:
        DataError: If there is no such file or folder.
    """
    resolved = Path(path).expanduser().absolute()
    if not resolved.exists():
        raise DataError(
            f"data.path={path}: there is no such file or folder (working directory: {Path.cwd()})",
            todo="give the path of your data set: data.path=DIR",
        )
    return resolved


def table_of_files(
    root: Path,
    images: Sequence[LabelledImage],
    files: Mapping[str, ListedFile],
    *,
    name: str,
    options: FileOptions,
    columns: Mapping[str, Mapping[str, str]] | None = None,
    bad: Sequence[BadImage] = (),
    notes: ReadingNotes,
) -> SampleTable:
    """Read all files once and build the table.

    Args:
        root: The folder that paths are relative to.
        images: Images with class and split.
        files: Size and time of each file, by path.
        name: Short name of the data set.
        options: Options of every source of image files.
        columns: Column name to (path to value), for grouping.
        bad: Images already known to be unreadable, such as missing files.
        notes: Notes of the source.

    Raises:
        DataError: If images are unreadable, names cannot be used, or class names look the same.
    """
    images = sorted(images, key=lambda image: image.path)
    _check_file_names(images)
    _check_rename(options.rename or {}, images, options.names)
    spell = spelling(options.names, options.rename)
    images = [image._replace(label=spell(image.label)) for image in images]
    groups, group_notes = group_images(images, options.group_by, columns or {})
    notes.extend(group_notes)
    scan = scan_files(root, [files[image.path] for image in images], options.in_chans)
    skipped = (*bad, *scan.bad)
    report_unreadable(skipped, on_bad_image=options.on_bad_image, n_files=len(images) + len(bad))
    good = set(scan.good)
    read = FileReader(root, options.in_chans)
    return build_table(
        images,
        [image for image in images if image.path in good],
        scan.facts,
        groups,
        name=name,
        read=read,
        skipped=skipped,
        notes=notes,
        source=str(root),
        min_classes=options.min_classes,
        value_range=options.value_range,
        forget=read.forget,
        in_chans=options.in_chans,
    )


def _check_file_names(images: Sequence[LabelledImage]) -> None:
    bad = [
        ascii(image.path)[1:-1]
        for image in images
        if _FORBIDDEN_CATEGORIES.intersection(map(category, image.path))
    ]
    if bad:
        raise DataError(
            f"{len(bad)} file names cannot be written to a table: {name_some(bad)}",
            "names in UTF-8 without line ends and control characters",
            "rename these files"
            if sys.getfilesystemencoding() == "utf-8"
            else f"this system's locale reads names as {sys.getfilesystemencoding()}: "
            "export PYTHONUTF8=1, or rename these files",
        )


def _check_rename(
    rename: Mapping[str, str], images: Sequence[LabelledImage], names: str | None
) -> None:
    spell = spelling(names, None)
    present = {image.label for image in images}
    unknown = sorted(set(rename) - present - {spell(label) for label in present})
    if unknown:
        raise DataError(
            f"data.rename names classes that do not exist: {name_some(unknown)}",
            name_some(sorted(present), 40),
        )
