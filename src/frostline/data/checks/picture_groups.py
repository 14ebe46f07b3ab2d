"""Groups of images that show the same picture, for `data.group_by`, which keeps them together."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from frostline.data.checks.checkup import Checkup
from frostline.errors import DataError
from frostline.files import replacing

SUFFIX = ".json"
_ALLOWED = "the name of a .json file that can be written"


@dataclass(frozen=True)
class PictureGroups:
    """Which images belong together.

    Attributes:
        group_of: Item to group, for the images that are not alone; a group has the name of its
            first item.
        n_groups: How many groups there are.
        largest: Images of the largest one.
    """

    group_of: dict[str, str]
    n_groups: int
    largest: int


def picture_groups(checkup: Checkup) -> PictureGroups:
    """Join images that look the same, and the groups that they were in.

    Args:
        checkup: With the pairs of images that look the same; groups of its table stay whole.
    """
    table = checkup.table
    groups = checkup.duplicates.join(table.groups)
    _, first, of_row = np.unique(groups, return_index=True, return_inverse=True)
    sizes = Counter(of_row.tolist())
    group_of = {
        item: table.items[first[group]]
        for item, group in zip(table.items, of_row.tolist(), strict=True)
        if sizes[group] > 1
    }
    return PictureGroups(group_of, len(set(group_of.values())), max(sizes.values()))


def write_groups(file: Path, found: PictureGroups) -> None:
    """Write groups for `data.group_by`: a JSON object of items and their groups.

    Args:
        file: Of a name that `check_name` lets through.
        found: What to write.

    Raises:
        DataError: If the file cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(found.group_of, indent=1, ensure_ascii=False, sort_keys=True)
        with replacing(file.resolve()) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise DataError(f"--groups {file}: {error.strerror or error}", _ALLOWED) from None


def check_name(file: Path) -> None:
    """Refuse a name that `data.group_by` would take for a column or an expression.

    Raises:
        DataError: If it does not end in .json.
    """
    if file.suffix.lower() != SUFFIX:
        raise DataError(f"--groups {file}: not a {SUFFIX} file", _ALLOWED)
