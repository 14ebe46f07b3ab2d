"""Read classes and splits from the folders of a data set, and detect a nested copy of it."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from unicodedata import category

from frostline.data.alike_folders import check_not_alike
from frostline.data.class_folders import EXPECTED, check_empty_classes, labelled, nested_copy
from frostline.data.reading_notes import ReadingNotes
from frostline.data.sample_table import name_some
from frostline.data.split_layout import (
    check_one_folder_each,
    read_splits,
    read_splits_below,
    splits_at_the_top,
)
from frostline.errors import DataError

# Unicode categories that do not fit into one line: control characters, line and paragraph ends.
_CONTROLS = frozenset({"Cc", "Zl", "Zp"})


class LabelledImage(NamedTuple):
    """An image with its class and split.

    Attributes:
        path: Relative to the root.
        label: Name of the class.
        split: "train", "val" or "test"; empty where the source defines no splits.
    """

    path: str
    label: str
    split: str


@dataclass(frozen=True)
class Layout:
    """The images, sorted by path, and notes on what was left out."""

    images: tuple[LabelledImage, ...]
    notes: ReadingNotes


def read_layout(
    paths: Sequence[str],
    folders: Sequence[str],
    root: str,
    splits: Mapping[str, str | None] | None = None,
) -> Layout:
    """Find the classes and splits.

    Args:
        paths: Image files relative to the root, with "/" between parts.
        folders: All folders relative to the root, also empty ones.
        root: The root's name, for messages.
        splits: The value of data.splits: folder to "train", "val" or "test", or to None, which
            leaves it out. Empty: no folder is a split. None: recognised by their names.

    Raises:
        DataError: If there are no images, no classes, an empty class folder, split folders
            beside other folders, or folders that hold the same classes.
    """
    if not paths:
        raise DataError(f"{root} has no image", EXPECTED, "check data.path")
    notes = ReadingNotes()
    base = _class_root(paths, notes)
    inside = [path[len(base) :] for path in paths]
    below = [folder[len(base) :] for folder in folders if folder.startswith(base)]
    tops = sorted({folder.split("/")[0] for folder in below if folder})
    found = _divided(inside, below, tops, root, splits, notes)
    if found is None:
        found = _classes_only(inside, tops, base, root, splits, notes)
    if not found:
        raise DataError(
            f"the images are directly in {root}, not in one folder per class",
            EXPECTED,
            "sort them into folders, or read the class from the name with data.label_pattern",
        )
    images = tuple(LabelledImage(base + path, label, split) for path, label, split in sorted(found))
    return Layout(images, notes)


def _divided(
    inside: Sequence[str],
    below: Sequence[str],
    tops: Sequence[str],
    root: str,
    splits: Mapping[str, str | None] | None,
    notes: ReadingNotes,
) -> list[tuple[str, str, str]] | None:
    """Read a data set that is divided into splits; None if it is not."""
    if splits is not None and not splits:
        return None
    named = splits_at_the_top(inside, tops, splits)
    if named:
        if not splits:
            check_one_folder_each(named, root)
        return read_splits(inside, below, named, tops, root, notes)
    images = read_splits_below(inside, splits, root, notes)
    if images is None and splits:
        raise DataError(
            f"data.splits names no folder of {root}: {name_some(splits)}",
            name_some(tops, 40),
            "name the folders that are splits: beside each other, or below every class",
        )
    return images


def _classes_only(
    inside: Sequence[str],
    tops: Sequence[str],
    base: str,
    root: str,
    splits: Mapping[str, str | None] | None,
    notes: ReadingNotes,
) -> list[tuple[str, str, str]]:
    """Read a folder for each class, without splits."""
    copy = nested_copy(inside, tops)
    used = [path for path in inside if not copy or not path.startswith(f"{copy}/")]
    if copy:
        notes.add(
            f"ignored '{base}{copy}': it is a copy of the same classes",
            "copies",
            sorted(set(inside) - set(used)),
        )
    classes = [top for top in tops if top != copy]
    check_empty_classes(used, classes, root)
    if splits is None:
        _check_no_years(classes, base, root)
        check_not_alike(used, classes, f"{root}/{base}".rstrip("/"))
    return [(path, label, "") for path, label in labelled(used, "", notes)]


def _check_no_years(classes: Sequence[str], base: str, root: str) -> None:
    """Refuse years as classes where they are all that one folder holds: `rust/2020`, `rust/2021`.

    Raises:
        DataError: If they are.
    """
    if base and classes and all(re.fullmatch(r"(19|20)\d\d", name) for name in classes):
        raise DataError(
            f"{root} has one class, '{base[:-1]}', whose folders are years: {name_some(classes)}",
            "a folder for each of two classes or more; years may be below them",
            "add the other classes; if the years are the classes, name that folder: "
            f"data.path={root}/{base[:-1]}",
        )


def _class_root(paths: Sequence[str], notes: ReadingNotes) -> str:
    """Find the folder that contains the classes, below outer folders with one subfolder only."""
    base = ""
    while True:
        rest = [path[len(base) :] for path in paths]
        tops = {path.split("/")[0] for path in rest}
        wraps = len(tops) == 1 and all(path.count("/") >= 2 for path in rest)
        if not wraps:
            if base:
                notes.add(f"the classes are in '{base[:-1]}', the only folder with images")
            return base
        base += f"{tops.pop()}/"


def check_class_names(names: Iterable[str]) -> None:
    """Raise an error if class names look the same to a reader, or cannot be shown to one.

    Raises:
        DataError: If two names differ only in case, Unicode form or surrounding spaces, or one
            has line ends or other control characters.
    """
    names = set(names)
    unreadable = [name for name in names if _CONTROLS.intersection(map(category, name))]
    if unreadable:
        listed = ", ".join(sorted(map(ascii, unreadable))[:5])
        raise DataError(
            f"class names with line ends or control characters: {listed}",
            "names that can be written in one line",
            "rename these classes; in a table, look for a quotation mark that is never closed",
        )
    first: dict[str, str] = {}
    for name in sorted(names):
        normalised = unicodedata.normalize("NFC", name).casefold().strip()
        other = first.setdefault(normalised, name)
        if other != name:
            raise DataError(
                f"classes '{other}' and '{name}' differ only in case, spaces or Unicode form "
                f"({other!a}, {name!a})",
                "one name per class",
                "give both the same name (data.rename maps old names to new ones)",
            )
