"""Read classes and splits from the folders of a data set, and detect a nested copy of it."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from frostline.data.sample_table import name_some
from frostline.errors import DataError

SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
EXPECTED = "ROOT/class/image.jpg, or ROOT/{train,val,test}/class/image.jpg"


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
    notes: tuple[str, ...]


def read_layout(paths: Sequence[str], folders: Sequence[str], root: str) -> Layout:
    """Find the classes and splits.

    Args:
        paths: Image files relative to the root, with "/" between parts.
        folders: All folders relative to the root, also empty ones.
        root: The root's name, for messages.

    Raises:
        DataError: If there are no images, no classes, an empty class folder, or split folders
            beside other folders.
    """
    if not paths:
        raise DataError(f"{root} has no image", EXPECTED, "check data.path")
    notes: list[str] = []
    base = _class_root(paths, notes)
    inside = [path[len(base) :] for path in paths]
    below = [folder[len(base) :] for folder in folders if folder.startswith(base)]
    tops = sorted({folder.split("/")[0] for folder in below if folder})
    named = {top: SPLIT_FOLDERS[top.casefold()] for top in tops if top.casefold() in SPLIT_FOLDERS}
    if "train" in named.values() and len(set(named.values())) > 1:
        images = _with_given_splits(inside, below, named, tops, root, notes)
    else:
        copy = _nested_copy(inside, tops)
        if copy:
            notes.append(f"ignored '{base}{copy}': it is a copy of the same classes")
        used = [path for path in inside if not copy or not path.startswith(f"{copy}/")]
        classes = [top for top in tops if top != copy]
        _check_empty_classes(used, classes, root)
        images = [(path, label, "") for path, label in _labelled(used, 0, notes)]
    if not images:
        raise DataError(
            f"the images are directly in {root}, not in one folder per class",
            EXPECTED,
            "sort them into folders, or read the class from the name with data.label_pattern",
        )
    return Layout(
        tuple(LabelledImage(base + path, label, split) for path, label, split in sorted(images)),
        tuple(notes),
    )


def _class_root(paths: Sequence[str], notes: list[str]) -> str:
    """Find the folder that contains the classes, below outer folders with one subfolder only."""
    base = ""
    while True:
        rest = [path[len(base) :] for path in paths]
        tops = {path.split("/")[0] for path in rest}
        wraps = len(tops) == 1 and all(path.count("/") >= 2 for path in rest)
        if not wraps:
            if base:
                notes.append(f"the classes are in '{base[:-1]}', the only folder with images")
            return base
        base += f"{tops.pop()}/"


def _nested_copy(paths: Iterable[str], tops: Sequence[str]) -> str:
    """Find a folder whose subfolders have the names of its neighbours; empty if there is none."""
    children: dict[str, set[str]] = defaultdict(set)
    for path in paths:
        parts = path.split("/")
        if len(parts) > 2:
            children[parts[0]].add(parts[1].casefold())
    neighbours = {top.casefold() for top in tops}
    for top in sorted(children):
        shared = children[top] & (neighbours - {top.casefold()})
        if len(shared) >= 2 and 2 * len(shared) >= len(children[top]):
            return top
    return ""


def _with_given_splits(
    inside: Sequence[str],
    below: Sequence[str],
    named: dict[str, str],
    tops: Sequence[str],
    root: str,
    notes: list[str],
) -> list[tuple[str, str, str]]:
    """Return path, class and split of each image below split folders."""
    used = {path.split("/")[0] for path in inside if "/" in path}
    others = sorted((set(tops) - set(named)) & used)
    if others:
        raise DataError(
            f"{root} has split folders ({', '.join(sorted(named))}) and other folders: "
            f"{name_some(others)}",
            EXPECTED,
            "move the other folders away, or give the folder that contains the classes",
        )
    split_of_folder: dict[str, str] = {}
    for top, split in named.items():
        if split in split_of_folder.values():
            raise DataError(f"{root} has more than one {split} folder: {name_some(named)}")
        split_of_folder[top] = split
    images = []
    for top, split in split_of_folder.items():
        own = [path for path in inside if path.startswith(f"{top}/")]
        classes = sorted({name.split("/")[1] for name in below if name.startswith(f"{top}/")})
        _check_empty_classes([path[len(top) + 1 :] for path in own], classes, f"{root}/{top}")
        images += [(path, label, split) for path, label in _labelled(own, 1, notes)]
    return images


def _labelled(paths: Sequence[str], depth: int, notes: list[str]) -> list[tuple[str, str]]:
    """Return path and class of each image in a class folder."""
    outside = [path for path in paths if path.count("/") <= depth]
    if outside and len(outside) < len(paths):
        notes.append(
            f"ignored {len(outside)} images that are in no class folder: {name_some(outside, 5)}"
        )
    return [(path, path.split("/")[depth]) for path in paths if path.count("/") > depth]


def _check_empty_classes(paths: Sequence[str], classes: Sequence[str], root: str) -> None:
    filled = {path.split("/")[0] for path in paths}
    empty = [name for name in classes if name not in filled]
    if empty and filled & set(classes):
        raise DataError(
            f"no image in class folder {name_some(empty)} of {root}",
            "at least three images in every class",
            "add images, or remove the folder",
        )


def check_class_names(names: Iterable[str]) -> None:
    """Raise an error if class names look the same to a reader.

    Raises:
        DataError: If two names differ only in case, Unicode form or surrounding spaces.
    """
    first: dict[str, str] = {}
    for name in sorted(set(names)):
        normalised = unicodedata.normalize("NFC", name).casefold().strip()
        other = first.setdefault(normalised, name)
        if other != name:
            raise DataError(
                f"classes '{other}' and '{name}' differ only in case, spaces or Unicode form "
                f"({other!a}, {name!a})",
                "one name per class",
                "give both the same name (data.rename maps old names to new ones)",
            )
