"""What the folders of a data set mean: classes, splits, a copy inside itself."""

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
    """One image and what its folders say.

    Attributes:
        path: Relative to the root.
        label: Name of the class.
        split: "train", "val" or "test"; empty where the source brings no splits.
    """

    path: str
    label: str
    split: str


@dataclass(frozen=True)
class Layout:
    """All placed images, sorted by path, and what was set aside."""

    placed: tuple[LabelledImage, ...]
    notes: tuple[str, ...]


def read_layout(paths: Sequence[str], folders: Sequence[str], root: str) -> Layout:
    """Find classes and splits.

    Args:
        paths: Image files relative to the root, parts joined by "/".
        folders: All folders relative to the root; some may be empty.
        root: The root's name, for messages.

    Raises:
        DataError: If there are no images, no classes, an empty class folder, or split folders
            beside other folders.
    """
    if not paths:
        raise DataError(f"{root} holds no image", EXPECTED, "check data.path")
    notes: list[str] = []
    base = _inner(paths, notes)
    inside = [path[len(base) :] for path in paths]
    below = [folder[len(base) :] for folder in folders if folder.startswith(base)]
    tops = sorted({folder.split("/")[0] for folder in below if folder})
    named = {top: SPLIT_FOLDERS[top.casefold()] for top in tops if top.casefold() in SPLIT_FOLDERS}
    if "train" in named.values() and len(set(named.values())) > 1:
        placed = _given(inside, below, named, tops, root, notes)
    else:
        twin = _copy_inside(inside, tops)
        if twin:
            notes.append(f"set aside '{base}{twin}': it holds the same classes once more")
        kept = [path for path in inside if not twin or not path.startswith(f"{twin}/")]
        classes = [top for top in tops if top != twin]
        _check_empty_classes(kept, classes, root)
        placed = [(path, label, "") for path, label in _labelled(kept, 0, notes)]
    if not placed:
        raise DataError(
            f"the images lie directly in {root}, not in a folder for each class",
            EXPECTED,
            "sort them into folders, or read the class from the name with data.label_pattern",
        )
    return Layout(
        tuple(LabelledImage(base + path, label, split) for path, label, split in sorted(placed)),
        tuple(notes),
    )


def _inner(paths: Sequence[str], notes: list[str]) -> str:
    """The folder that really holds the classes, where outer folders only wrap it."""
    base = ""
    while True:
        rest = [path[len(base) :] for path in paths]
        tops = {path.split("/")[0] for path in rest}
        wraps = len(tops) == 1 and all(path.count("/") >= 2 for path in rest)
        if not wraps:
            if base:
                notes.append(f"the classes lie in '{base[:-1]}', the only folder with images")
            return base
        base += f"{tops.pop()}/"


def _copy_inside(paths: Iterable[str], tops: Sequence[str]) -> str:
    """A folder whose own folders are the names of its neighbours; empty if there is none."""
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


def _given(
    inside: Sequence[str],
    below: Sequence[str],
    named: dict[str, str],
    tops: Sequence[str],
    root: str,
    notes: list[str],
) -> list[tuple[str, str, str]]:
    """Images of given splits: path, class, split."""
    used = {path.split("/")[0] for path in inside if "/" in path}
    strangers = sorted((set(tops) - set(named)) & used)
    if strangers:
        raise DataError(
            f"{root} holds folders of splits ({', '.join(sorted(named))}) beside others: "
            f"{name_some(strangers)}",
            EXPECTED,
            "move the other folders away, or give the folder that holds the classes",
        )
    sides: dict[str, str] = {}
    for top, split in named.items():
        if split in sides.values():
            raise DataError(f"{root} holds more than one {split} folder: {name_some(named)}")
        sides[top] = split
    placed = []
    for top, split in sides.items():
        own = [path for path in inside if path.startswith(f"{top}/")]
        classes = sorted({f.split("/")[1] for f in below if f.startswith(f"{top}/")})
        _check_empty_classes([path[len(top) + 1 :] for path in own], classes, f"{root}/{top}")
        placed += [(path, label, split) for path, label in _labelled(own, 1, notes)]
    return placed


def _labelled(paths: Sequence[str], depth: int, notes: list[str]) -> list[tuple[str, str]]:
    """Path and class of each image that lies in a class folder."""
    homeless = [path for path in paths if path.count("/") <= depth]
    if homeless and len(homeless) < len(paths):
        notes.append(
            f"left out {len(homeless)} images that lie in no class folder: {name_some(homeless, 5)}"
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
    """Refuse classes that a person cannot tell apart.

    Raises:
        DataError: If two names differ by case, Unicode form or surrounding spaces alone.
    """
    seen: dict[str, str] = {}
    for name in sorted(set(names)):
        plain = unicodedata.normalize("NFC", name).casefold().strip()
        other = seen.setdefault(plain, name)
        if other != name:
            raise DataError(
                f"classes '{other}' and '{name}' differ by case, spaces or Unicode form alone "
                f"({other!a}, {name!a})",
                "one name for one class",
                "give both the same name (data.rename maps old names to new ones)",
            )
