"""Folders beside each other that hold the same classes: they are splits, folds or variants."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from frostline.data.sample_table import name_some
from frostline.data.split_names import (
    makes_splits,
    splits_by_likeness,
    splits_by_name,
    splits_setting,
)
from frostline.errors import DataError

# Folders of these names hold a part or another version of a data set. As long as nothing speaks
# against it they are not taken for classes, even if numbers are below them.
_PARTS = re.compile(
    r"(?:.*[\W_])?(?:folds?|cv|splits?|parts?|sets?|subsets?|batch(?:es)?|chunks?|shards?|versions?|"
    r"v|k)[\W_]*(?:\d+|[a-h])(?:[\W_].*)?",
    re.IGNORECASE,
)
_VARIANTS = re.compile(
    r"colou?rs?|gr[ae]y(?:scale)?|segment(?:ed|ation)|masks?|masked|augment(?:ed|ation)|aug|raw|"
    r"originals?|rgb|bw|edges?|cropped|resized|processed|preprocessed|enhanced",
    re.IGNORECASE,
)
# Below a class these name occasions, views and versions of its photos: nothing that is a class.
_OCCASIONS = re.compile(
    r".*\d.*|.|images?|imgs?|photos?|pics?|pictures?|data|jpe?g|png|tiff?|left|right|top|bottom|"
    r"front|back|side|upper|lower|inside|outside|indoors?|outdoors?|day|night|dawn|dusk|morning|"
    r"noon|evening|spring|summer|autumn|fall|winter|lab|field|near|far|close|small|large|old|new|"
    r"train\w*|test\w*|val\w*|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*|others?|"
    rf"misc|flash|wet|dry|{_VARIANTS.pattern}",
    re.IGNORECASE,
)


def check_not_alike(paths: Sequence[str], tops: Sequence[str], root: str) -> None:
    """Raise an error if the folders that would be the classes hold the same classes.

    Folders below all of them that name occasions or views (`2020`, `plant_3`, `left`) do not make
    them alike. Names of parts and of variants (`fold1`, `grayscale`) do so more easily.

    Args:
        paths: Images relative to the folder of the classes.
        tops: Its folders.
        root: Its name, for the message.

    Raises:
        DataError: If they are alike, or a divided data set lies in one of them.
    """
    holding = _subfolders(paths)
    alike = [top for top in tops if holding.get(top)]
    strong = [top for top in alike if _is_part(top, alike)]
    if len(strong) > 1 and _share(holding, strong, at_least=1, of_union=1 / 2):
        _refuse(strong, holding, root)
    common = _common(holding, alike)
    if (
        len(alike) > 1
        and len(alike) == len(tops)
        and _share(holding, alike, at_least=2, of_union=2 / 3)
        and not all(map(_OCCASIONS.fullmatch, common))
    ):
        _refuse(alike, holding, root)
    if len(tops) > 1:
        _check_no_splits_inside(paths, root)


def _is_part(name: str, beside: Sequence[str]) -> bool:
    is_split = bool(splits_by_name([name])) or name in splits_by_likeness(beside)
    return is_split or bool(_PARTS.fullmatch(name) or _VARIANTS.fullmatch(name))


def _subfolders(paths: Iterable[str]) -> dict[str, set[str]]:
    """Return the subfolders with images of each folder whose images are mostly in subfolders."""
    below: dict[str, set[str]] = defaultdict(set)
    excess: dict[str, int] = defaultdict(int)
    for path in paths:
        parts = path.split("/", 2)
        if len(parts) == 3:
            below[parts[0]].add(parts[1])
        excess[parts[0]] += 1 if len(parts) == 3 else -1
    return {top: names for top, names in below.items() if excess[top] > 0}


def _common(holding: Mapping[str, set[str]], tops: Sequence[str]) -> set[str]:
    names = [{name.casefold() for name in holding[top]} for top in tops]
    return set.intersection(*names) if names else set()


def _share(
    holding: Mapping[str, set[str]], tops: Sequence[str], *, at_least: int, of_union: float
) -> bool:
    common = _common(holding, tops)
    union = {name.casefold() for top in tops for name in holding[top]}
    return len(common) >= at_least and len(common) >= of_union * len(union)


def _refuse(alike: Sequence[str], holding: Mapping[str, set[str]], root: str) -> None:
    classes = sorted(set.intersection(*(holding[top] for top in alike))) or sorted(
        holding[alike[0]]
    )
    raise DataError(
        f"{name_some(alike, 5)} in {root} hold the same classes ({name_some(classes, 3)}); "
        "are they splits? They are not read as classes",
        "ROOT/class/image.jpg, or ROOT/{train,val,test}/class/image.jpg",
        f"splits: name them with {splits_setting(alike, splits_by_likeness(alike))}; "
        f"variants or parts: give one, data.path={root}/{alike[0]}; "
        "if they are the classes all the same: 'data.splits={}'",
    )


def _check_no_splits_inside(paths: Iterable[str], root: str) -> None:
    """Raise DataError if train and validation or test, with the same classes, lie deeper."""
    holding: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for path in paths:
        parts = path.split("/")
        for k in range(1, len(parts) - 2):
            holding["/".join(parts[:k])][parts[k]].add(parts[k + 1])
    for folder, below in sorted(holding.items()):
        sides = splits_by_name(below)
        if not makes_splits(sides.values()):
            continue
        common = set.intersection(*(below[side] for side in sides))
        if len(common) > 1 and not all(map(_OCCASIONS.fullmatch, common)):
            raise DataError(
                f"the splits {name_some(sides)} are in {root}/{folder}, which has other folders "
                "with images beside it: these are not classes",
                todo=f"give the folder that holds the splits: data.path={root}/{folder}",
            )
