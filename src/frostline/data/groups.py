"""Find the images that show the same object, which must stay in one split."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from frostline.data.layout import LabelledImage
from frostline.data.reading_notes import ReadingNotes
from frostline.data.sample_table import name_some
from frostline.errors import DataError

ALLOWED = (
    "a regular expression over the path (its group `group`, else its first group, else the whole "
    "match), a .json of paths and their groups, or a column where the source has columns"
)


def group_images(
    images: Sequence[LabelledImage], group_by: str | None, columns: Mapping[str, Mapping[str, str]]
) -> tuple[dict[str, str], ReadingNotes]:
    """Find the group of each image.

    Args:
        images: The images.
        group_by: The value of data.group_by: the name of a column, the path of a leaf map, or a
            regular expression; None: every image is its own group.
        columns: Column name to (path to value), where the source has columns.

    Returns:
        The groups by path, for images that have one, and notes.

    Raises:
        DataError: If the column, file or expression cannot be used, or does not group any image.
    """
    if group_by is None:
        return {}, ReadingNotes()
    if group_by in columns:
        groups = {path: value for path, value in columns[group_by].items() if value}
    elif group_by.lower().endswith(".json"):
        leaf_of = _leaf_map(group_by)
        groups = {image.path: leaf for image in images if (leaf := leaf_of(image))}
    else:
        groups = _by_pattern(images, group_by, columns)
    ungrouped = [image.path for image in images if image.path not in groups]
    if len(ungrouped) == len(images):
        raise DataError(
            f"data.group_by={group_by} groups none of {len(images)} images, such as "
            f"{name_some((image.path for image in images), 3)}",
            ALLOWED,
        )
    n_groups = len(set(groups.values()))
    notes = ReadingNotes([f"{len(groups)} images form {n_groups} groups"])
    if ungrouped:
        notes.add(
            f"{len(ungrouped)} images are in no group and are split one by one: "
            f"{name_some(ungrouped, 5)}",
            "in no group",
            ungrouped,
        )
    return groups, notes


def _by_pattern(
    images: Sequence[LabelledImage], pattern: str, columns: Mapping[str, Mapping[str, str]]
) -> dict[str, str]:
    allowed = ALLOWED
    if columns:
        allowed += f"; columns of this data set: {name_some(columns, 40)}"
    if columns and re.fullmatch(r"\w+", pattern):
        # A plain word matches anywhere: it is more likely a misspelt column.
        raise DataError(f"data.group_by={pattern}: there is no such column", allowed)
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise DataError(f"data.group_by={pattern}: {error}", allowed) from None
    match_group: str | int = "group" if "group" in compiled.groupindex else min(1, compiled.groups)
    matches = ((image.path, compiled.search(image.path)) for image in images)
    return {path: match[match_group] for path, match in matches if match and match[match_group]}


def _leaf_map(path: str) -> Callable[[LabelledImage], str]:
    """Read groups from a file: of paths, or of source names as in PlantVillage's leaf map.

    The leaf map has from a source file's name the leaves that it may show.

    Returns:
        A function from an image to its group; empty if the map does not name the image.

    Source: https://github.com/spMohanty/PlantVillage-Dataset (leaf_grouping/leaf-map.json)
    """
    file = Path(path).expanduser().absolute()
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"data.group_by={path}: {error.strerror}", ALLOWED) from None
    except ValueError as error:
        raise DataError(f"data.group_by={path}: not JSON ({error})", ALLOWED) from None
    if not isinstance(content, dict):
        raise DataError(f"data.group_by={path}: not a map of paths to groups", ALLOWED)

    def leaf_of(image: LabelledImage) -> str:
        leaves = content.get(image.path) or content.get(source_name(image.path), [])
        listed = [leaves] if isinstance(leaves, str) else list(map(str, leaves))
        same_class = [leaf for leaf in listed if leaf.split(":::")[0] == image.label]
        return (same_class or listed or [""])[0]

    return leaf_of


def source_name(path: str) -> str:
    """Return the name of an image in PlantVillage's leaf map.

    `Apple___healthy/0a1b___RS_HL 1864 copy.JPG` is `rs_hl 1864`.
    """
    stem = Path(path).stem.split("___")[-1].replace("_final_masked", "")
    return stem.split("copy")[0].strip().lower()
