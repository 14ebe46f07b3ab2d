"""Images in folders of splits, which hold the classes or lie in the classes."""

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from frostline.data.class_folders import EXPECTED, check_empty_classes, labelled, nested_copy
from frostline.data.reading_notes import ReadingNotes
from frostline.data.sample_table import name_some
from frostline.data.split_names import SPLIT_FOLDERS, makes_splits, splits_by_name, splits_setting
from frostline.errors import DataError

Given = Mapping[str, str | None]
Found = list[tuple[str, str, str]]

# Images without classes that competitions ship beside the splits.
_UNLABELLED = re.compile(r".*(?:pred|predict|prediction|predictions|unlabell?ed|submission)")
# Between a split and its classes, or its images, these names say nothing.
_WRAPPERS = re.compile(
    r"images?|imgs?|photos?|data|all|unknown|.*pred|unlabell?ed|jpegimages", re.IGNORECASE
)


def splits_at_the_top(
    inside: Sequence[str], tops: Sequence[str], given: Given | None
) -> dict[str, str | None]:
    """Find the folders that are splits; empty if the folders are not those of a divided data set.

    Args:
        inside: Images relative to the folder of the splits.
        tops: Its folders.
        given: The value of data.splits: folder to split.
    """
    if given:
        return {top: given[top] for top in tops if top in given}
    named = splits_by_name(tops)
    plain = {top: SPLIT_FOLDERS[top.casefold()] for top in tops if top.casefold() in SPLIT_FOLDERS}
    if makes_splits(plain.values()):
        return {**plain, **{top: split for top, split in named.items() if top not in plain}}
    used = {path.split("/")[0] for path in inside if "/" in path}
    others = {top for top in used - set(named) if not _UNLABELLED.fullmatch(top.casefold())}
    if not makes_splits(named.values()):
        # Training classes beside images without any: not two classes.
        is_alone = set(named.values()) == {"train"} and used > set(named) and not others
        return dict(named) if is_alone and all(_has_classes(inside, top) for top in named) else {}
    if not others:
        return dict(named)
    # Beside other folders they are splits only if they hold the same classes.
    own = {top: [path for path in inside if path.startswith(f"{top}/")] for top in named}
    classes = [
        {path[len(start) :].split("/")[0] for path in own[top] if "/" in path[len(start) :]}
        for top, start in _starts(own).items()
    ]
    filled = [names for names in classes if names]
    return dict(named) if filled and set.intersection(*filled) else {}


def _has_classes(inside: Sequence[str], top: str) -> bool:
    """Whether all images of a folder lie in folders of it."""
    return all(path.count("/") > 1 for path in inside if path.startswith(f"{top}/"))


def read_splits(
    inside: Sequence[str],
    below: Sequence[str],
    named: Given,
    tops: Sequence[str],
    root: str,
    notes: ReadingNotes,
) -> Found:
    """Return path, class and split of each image below split folders.

    Args:
        inside: Images relative to the folder of the splits.
        below: All folders relative to it.
        named: Split folder to its split; None leaves it out.
        tops: All folders beside each other.
        root: Name of the data set, for messages.
        notes: Receives what is left out.

    Raises:
        DataError: If other folders with images are beside them, two folders are one split that was
            not given, a class folder is empty, or training images have no class folder.
    """
    guessed = sorted(top for top in named if top.casefold() not in SPLIT_FOLDERS and named[top])
    if guessed:
        shown = ", ".join(f"'{top}' is {named[top]}" for top in guessed)
        notes.add(f"the splits are taken from the folders: {shown}")
    used = {path.split("/")[0] for path in inside if "/" in path}
    inside = _without_unlabelled(inside, (set(tops) - set(named)) & used, root, named, notes)
    left_out = [path for path in inside if named.get(path.split("/")[0], "") is None]
    if left_out:
        folders = name_some(sorted({path.split("/")[0] for path in left_out}))
        notes.add(f"data.splits leaves out {len(left_out)} images of {folders}", "splits", left_out)
    loose = [path for path in inside if "/" not in path]
    if loose:
        notes.add(
            f"ignored {len(loose)} images that are in no split folder: {name_some(loose, 5)}",
            "in no split folder",
            loose,
        )
    own = {
        top: [path for path in inside if path.startswith(f"{top}/")]
        for top, split in named.items()
        if split
    }
    starts = _starts(own)
    images: Found = []
    for top, paths in own.items():
        split = named[top] or ""
        start = starts[top]
        flat = [path for path in paths if "/" not in path[len(start) :]]
        if paths and len(flat) == len(paths):
            then = "there is nothing to train on" if split == "train" else ""
            then = (
                then or f"the {split} images are taken from train, unless another folder has some"
            )
            notes.add(
                f"ignored {len(flat)} images of '{top}', which are in no class folder; {then}",
                "in no class folder",
                flat,
            )
            continue
        classes = sorted(
            {name[len(start) :].split("/")[0] for name in below if name.startswith(start)}
        )
        check_empty_classes([path[len(start) :] for path in paths], classes, f"{root}/{top}")
        images += [(path, label, split) for path, label in labelled(paths, start, notes)]
    return images


def check_one_folder_each(named: Given, root: str) -> None:
    """Raise DataError if two folders were recognised as one split."""
    folders: dict[str, list[str]] = defaultdict(list)
    for top, split in named.items():
        folders[split or ""].append(top)
    for split, tops in folders.items():
        if len(tops) > 1:
            raise DataError(
                f"{root} has more than one {split} folder: {name_some(sorted(tops))}",
                "one folder for each split",
                f"say what each is: {splits_setting(sorted(named), named)} (null leaves one out)",
            )


def _without_unlabelled(
    inside: Sequence[str], others: Collection[str], root: str, named: Given, notes: ReadingNotes
) -> Sequence[str]:
    """Leave out folders beside the splits that are copies or have no classes.

    Raises:
        DataError: If there is another folder.
    """
    copy = nested_copy(inside, [*named, *others])
    kept = inside
    rest = set(others)
    if copy in rest:
        rest.discard(copy)
        kept = [path for path in kept if not path.startswith(f"{copy}/")]
        notes.add(
            f"ignored '{copy}': it is a copy of the same splits",
            "copies",
            sorted(set(inside) - set(kept)),
        )
    for other in sorted(rest):
        own = [path for path in kept if path.startswith(f"{other}/")]
        folders = {path.rsplit("/", 1)[0] for path in own}
        if _UNLABELLED.fullmatch(other.casefold()) and len(folders) == 1:
            rest.discard(other)
            kept = [path for path in kept if not path.startswith(f"{other}/")]
            notes.add(f"ignored {len(own)} images of '{other}', which have no class", other, own)
    if rest:
        raise DataError(
            f"{root} has split folders ({', '.join(sorted(named))}) and other folders: "
            f"{name_some(sorted(rest))}",
            EXPECTED,
            "move the other folders away, or give the folder that contains the classes, or say "
            f"what each is: {splits_setting([*sorted(rest), *sorted(named)], named)} "
            "(null leaves one out)",
        )
    return kept


def _starts(own: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return where the classes of each split start, such as `seg_train/seg_train/`."""
    starts = {top: f"{top}/" for top in own}
    while True:
        below = {
            top: {path[len(starts[top]) :].partition("/")[::2] for path in paths}
            for top, paths in own.items()
        }
        children = {top: {name for name, rest in pairs if rest} for top, pairs in below.items()}
        moved = False
        for top, names in children.items():
            loose = any(not rest for _, rest in below[top])
            if loose or len(names) != 1:
                continue
            (name,) = names
            others = [children[other] for other in children if other != top]
            is_wrapper = (
                name.casefold() == top.casefold()
                or bool(splits_by_name([name]))
                or bool(_WRAPPERS.fullmatch(name))
            )
            # Beside other classes it is one itself; alone in several splits it may be none.
            is_class = any(name in found and len(found) > 1 for found in others)
            if is_wrapper and (not is_class or all(found == names for found in others)):
                starts[top] += f"{name}/"
                moved = True
        if not moved:
            return starts


def read_splits_below(
    inside: Sequence[str], given: Given | None, root: str, notes: ReadingNotes
) -> Found | None:
    """Return path, class and split of images in ROOT/class/{train,val,test}/...

    Args:
        inside: Images relative to the folder of the classes.
        given: The value of data.splits: folder below the classes to split.
        root: Name of the data set, for messages.
        notes: Receives how it was read.

    Returns:
        None if the folders below the classes are not splits.

    Raises:
        DataError: If some of them are and others are not.
    """
    names: dict[str, set[str]] = defaultdict(set)
    for path in inside:
        parts = path.split("/", 2)
        names[parts[0]].add(parts[1] if len(parts) == 3 else "")
    every = set().union(*names.values()) if names else set()
    if given:
        named: dict[str, str | None] = {name: given[name] for name in every if name in given}
    else:
        named = dict(splits_by_name(every - {""}))
    divided = [top for top, own in names.items() if makes_splits(named.get(name) for name in own)]
    if (
        not makes_splits(named.values())
        or not divided
        or (not given and len(divided) == 1 < len(names))
    ):
        return None
    other = [path for path in inside if path.count("/") < 2 or path.split("/")[1] not in named]
    if other:
        if not given and len(divided) < len(names):
            return None
        raise DataError(
            f"class folders of {root} hold split folders ({name_some(sorted(named))}) and "
            f"{len(other)} other images: {name_some(other, 3)}",
            "ROOT/class/{train,val,test}/image.jpg, with every image in a split",
            "move the other images, or name their folders in data.splits (null leaves one out)",
        )
    images = []
    for path in inside:
        label, folder, _ = path.split("/", 2)
        split = named[folder]
        if split:
            images.append((path, label, split))
    if len(images) < len(inside):
        left_out = sorted(set(inside) - {path for path, _, _ in images})
        notes.add(f"data.splits leaves out {len(left_out)} images", "splits", left_out)
    shown = ", ".join(f"'{name}' is {split}" for name, split in sorted(named.items()) if split)
    notes.add(f"the splits are taken from the folders below the classes: {shown}")
    return images
