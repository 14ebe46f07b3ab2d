"""From labelled image files to a table: what folder, csv and archive share."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from unicodedata import category

import numpy as np
from PIL import Image

from frostline.data.class_names import spelling
from frostline.data.decode import UnreadableImageError, decode_file
from frostline.data.groups import group_images
from frostline.data.layout import LabelledImage, check_class_names
from frostline.data.sample_table import BadImage, SampleTable, fingerprint_of, name_some
from frostline.data.scan import ListedFile, report_unreadable, scan_files
from frostline.errors import DataError

# Control characters, bytes that are no UTF-8, ends of lines and paragraphs: what breaks a table or
# a terminal. Odd spaces (macOS writes one before "PM"), joined emoji and the marks of scripts that
# run from right to left are names as people have them.
_ODD = frozenset({"Cc", "Cs", "Zl", "Zp"})


@dataclass(frozen=True)
class FileOptions:
    """What a person may ask of any source of image files.

    Attributes:
        on_bad_image: "error": unreadable images end the run; "skip": they are left out.
        group_by: A column, a leaf-map.json or a regular expression; None: no grouping is known.
        names: Known class names whose spelling is taken over, such as "plantvillage".
        rename: Class names to other class names.
    """

    on_bad_image: str
    group_by: str | None = None
    names: str | None = None
    rename: Mapping[str, str] | None = None


@dataclass(frozen=True)
class FileOpener:
    """Opens images below a folder by their relative path."""

    root: Path

    def __call__(self, item: str) -> Image.Image:
        """An upright RGB image on white.

        Raises:
            UnreadableImageError: If the file has changed since it was checked.
        """
        try:
            return decode_file(self.root / item)
        except UnreadableImageError as error:
            raise UnreadableImageError(f"{self.root / item}: {error.given}") from None


def existing_path(path: str) -> Path:
    """A path as the person meant it: relative to where they stand, `~` for home.

    Raises:
        DataError: If there is nothing there.
    """
    found = Path(path).expanduser().absolute()
    if not found.exists():
        raise DataError(
            f"data.path={path}: there is no such file or folder (seen from {Path.cwd()})",
            todo="give the path of your data set: data.path=DIR",
        )
    return found


def table_of_files(
    root: Path,
    placed: Sequence[LabelledImage],
    files: Mapping[str, ListedFile],
    *,
    name: str,
    options: FileOptions,
    columns: Mapping[str, Mapping[str, str]] | None = None,
    bad: Sequence[BadImage] = (),
    notes: Sequence[str] = (),
) -> SampleTable:
    """Read all files once and make the table.

    Args:
        root: What paths are relative to.
        placed: Images with class and split.
        files: Size and time of each, by path.
        name: Short name of the data set.
        options: What a person may ask of any source of files.
        columns: Column name to (path to value), for grouping.
        bad: What is known to be unreadable already, such as missing files.
        notes: What the source has set aside.

    Raises:
        DataError: If images are unreadable, names are unusable, or classes cannot be told apart.
    """
    placed = sorted(placed, key=lambda one: one.path)
    _check_file_names(placed)
    _check_rename(options.rename or {}, placed, options.names)
    spell = spelling(options.names, options.rename)
    placed = [one._replace(label=spell(one.label)) for one in placed]
    groups, group_notes = group_images(placed, options.group_by, columns or {})
    scan = scan_files(root, [files[one.path] for one in placed])
    skipped = (*bad, *scan.bad)
    report_unreadable(skipped, on_bad_image=options.on_bad_image, n_files=len(placed) + len(bad))
    readable = set(scan.good)
    kept = [one for one in placed if one.path in readable]

    # Classes of all files, so that a class whose images are all unreadable is named, not lost.
    classes = sorted_classes({one.label for one in placed})
    check_class_names(classes)
    index = {label: k for k, label in enumerate(classes)}
    items = tuple(one.path for one in kept)
    labels = np.array([index[one.label] for one in kept], dtype=np.int64)
    group_names = np.array([groups.get(item, item) for item in items], dtype=np.str_)
    given = np.array([one.split for one in kept]) if any(one.split for one in kept) else None
    return SampleTable(
        name=name,
        items=items,
        labels=labels,
        groups=group_names,
        given_split=given,
        classes=classes,
        fingerprint=fingerprint_of(items, labels, group_names, given, classes, scan.facts.digests),
        open_image=FileOpener(root),
        skipped=skipped,
        notes=(*notes, *group_notes),
        facts=scan.facts,
        source=str(root),
    )


def _check_file_names(placed: Sequence[LabelledImage]) -> None:
    odd = [ascii(one.path)[1:-1] for one in placed if _ODD.intersection(map(category, one.path))]
    if odd:
        raise DataError(
            f"{len(odd)} file names cannot be written down: {name_some(odd)}",
            "names without line ends and control characters, in UTF-8",
            "rename these files"
            if sys.getfilesystemencoding() == "utf-8"
            else f"this system's locale reads names as {sys.getfilesystemencoding()}: "
            "export PYTHONUTF8=1, or rename these files",
        )


def _check_rename(
    rename: Mapping[str, str], placed: Sequence[LabelledImage], names: str | None
) -> None:
    spell = spelling(names, None)
    present = {one.label for one in placed}
    unknown = sorted(set(rename) - present - {spell(label) for label in present})
    if unknown:
        raise DataError(
            f"data.rename names classes that are not there: {name_some(unknown)}",
            name_some(sorted(present), 40),
        )


def sorted_classes(names: set[str]) -> tuple[str, ...]:
    """Class names in order: as numbers where all are ("1" before "01"), else by letters."""
    if all(map(_is_number, names)):
        return tuple(sorted(names, key=lambda name: (int(name), len(name))))
    return tuple(sorted(names))


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit()
