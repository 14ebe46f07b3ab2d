"""Folders whose names are classes: the images in them, empty ones, and copies of all of them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from frostline.data.reading_notes import ReadingNotes
from frostline.data.sample_table import name_some
from frostline.errors import DataError

EXPECTED = "ROOT/class/image.jpg, or ROOT/{train,val,test}/class/image.jpg"


def labelled(paths: Sequence[str], start: str, notes: ReadingNotes) -> list[tuple[str, str]]:
    """Return path and class of each image in a class folder.

    Args:
        paths: Images.
        start: The folder of the classes, with which all paths start; empty, or ending with "/".
        notes: Receives the images that are in none, if others are in one.
    """
    inside = [(path, path[len(start) :].split("/")) for path in paths]
    outside = [path for path, parts in inside if len(parts) == 1]
    if outside and len(outside) < len(paths):
        notes.add(
            f"ignored {len(outside)} images that are in no class folder: {name_some(outside, 5)}",
            "in no class folder",
            outside,
        )
    return [(path, parts[0]) for path, parts in inside if len(parts) > 1]


def check_empty_classes(paths: Sequence[str], classes: Sequence[str], root: str) -> None:
    """Raise DataError if some class folders have images and others have none."""
    filled = {path.split("/")[0] for path in paths}
    empty = [name for name in classes if name not in filled]
    if empty and filled & set(classes):
        raise DataError(
            f"no image in class folder {name_some(empty)} of {root}",
            "at least three images in every class",
            "add images, or remove the folder",
        )


def nested_copy(paths: Iterable[str], tops: Sequence[str]) -> str:
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
