"""Which images show the same thing, and must therefore stand on one side of a split."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from frostline.data.layout import LabelledImage
from frostline.data.sample_table import name_some
from frostline.errors import DataError

ALLOWED = (
    "a regular expression over the path (its group `group`, else its first group, else all that "
    "matches), the path of a leaf-map.json, or a column where the source has columns"
)


def group_images(
    placed: Sequence[LabelledImage], group_by: str | None, columns: Mapping[str, Mapping[str, str]]
) -> tuple[dict[str, str], list[str]]:
    """The group of each image.

    Args:
        placed: The images.
        group_by: What a person wrote for data.group_by: a column's name, the path of a leaf map,
            or a regular expression; None: every image by itself.
        columns: Column name to (path to value), where the source has columns.

    Returns:
        Path to group for those that have one, and notes.

    Raises:
        DataError: If the column, file or expression is not usable, or groups nothing.
    """
    if group_by is None:
        return {}, []
    if group_by in columns:
        groups = {path: value for path, value in columns[group_by].items() if value}
    elif group_by.lower().endswith(".json"):
        find = _leaf_map(group_by)
        groups = {one.path: group for one in placed if (group := find(one))}
    else:
        groups = _by_pattern(placed, group_by, columns)
    missed = [one.path for one in placed if one.path not in groups]
    if len(missed) == len(placed):
        raise DataError(
            f"data.group_by={group_by} groups none of {len(placed)} images, such as "
            f"{name_some((one.path for one in placed), 3)}",
            ALLOWED,
        )
    n_groups = len(set(groups.values()))
    notes = [f"{len(groups)} images form {n_groups} groups"]
    if missed:
        notes.append(
            f"{len(missed)} images are in no group and stand alone: {name_some(missed, 5)}"
        )
    return groups, notes


def _by_pattern(
    placed: Sequence[LabelledImage], pattern: str, columns: Mapping[str, Mapping[str, str]]
) -> dict[str, str]:
    known = f"; columns here: {name_some(columns, 40)}" if columns else ""
    if columns and re.fullmatch(r"\w+", pattern):
        # A plain word would match anywhere: far more likely a column's name with a typo.
        raise DataError(f"data.group_by={pattern}: there is no such column", ALLOWED + known)
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise DataError(f"data.group_by={pattern}: {error}", ALLOWED + known) from None
    wanted: str | int = "group" if "group" in compiled.groupindex else min(1, compiled.groups)
    found = ((one.path, compiled.search(one.path)) for one in placed)
    return {path: match[wanted] for path, match in found if match and match[wanted]}


def _leaf_map(path: str) -> Callable[[LabelledImage], str]:
    """Read PlantVillage's leaf map: source file name to the leaves that it may show.

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
        raise DataError(f"data.group_by={path}: not a map of file names to leaves", ALLOWED)

    def find(one: LabelledImage) -> str:
        leaves = content.get(source_name(one.path), [])
        listed = [leaves] if isinstance(leaves, str) else list(map(str, leaves))
        same_class = [leaf for leaf in listed if leaf.split(":::")[0] == one.label]
        return (same_class or listed or [""])[0]

    return find


def source_name(path: str) -> str:
    """The name under which PlantVillage's leaf map knows an image.

    `Apple___healthy/0a1b___RS_HL 1864 copy.JPG` is `rs_hl 1864`.
    """
    stem = Path(path).stem.split("___")[-1].replace("_final_masked", "")
    return stem.split("copy")[0].strip().lower()
