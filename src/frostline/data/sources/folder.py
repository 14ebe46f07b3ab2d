"""A folder of images: ROOT/class/..., or ROOT/{train,val,test}/class/..."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from frostline.data.layout import LabelledImage, Layout, read_layout
from frostline.data.listing import list_images
from frostline.data.sample_table import SampleTable, name_some
from frostline.data.sources.labelled_files import FileOptions, existing_path, table_of_files
from frostline.errors import DataError


def load_folder(
    path: str,
    *,
    on_bad_image: str,
    label_pattern: str | None = None,
    group_by: str | None = None,
    names: str | None = None,
    rename: Mapping[str, str] | None = None,
) -> SampleTable:
    """The table of a folder of images.

    Args:
        path: The folder, relative to where the person stands.
        on_bad_image: "error": unreadable images end the run; "skip": they are left out.
        label_pattern: A regular expression, searched in each path below the folder, whose group
            `label` is the class; for folders where the class stands in the file's name.
        group_by: A leaf-map.json, or a regular expression whose group is what images share.
        names: Known class names whose spelling is taken over, such as "plantvillage".
        rename: Class names to other class names.

    Raises:
        DataError: If the folder is missing or holds no classes, or images cannot be read.
    """
    root = existing_path(path)
    if not root.is_dir():
        raise DataError(
            f"data.path={path} is a file", "a folder", "use data=archive for a .zip or .tar"
        )
    options = FileOptions(on_bad_image, group_by, names, rename)
    return read_folder(root, name=root.resolve().name, label_pattern=label_pattern, options=options)


def read_folder(
    root: Path,
    *,
    name: str,
    label_pattern: str | None,
    options: FileOptions,
) -> SampleTable:
    """The table of an existing folder; see `load_folder`."""
    listing = list_images(root)
    files = {file.path: file for file in listing.files}
    if label_pattern is None:
        layout = read_layout(list(files), listing.folders, str(root))
    else:
        layout = _by_pattern(list(files), label_pattern)
    return table_of_files(
        root,
        layout.placed,
        files,
        name=name,
        options=options,
        notes=(*layout.notes, *listing.notes()),
    )


def _by_pattern(paths: Sequence[str], pattern: str) -> Layout:
    """Classes from a regular expression over the paths.

    Raises:
        DataError: If the expression is broken, has no group `label`, or matches no image.
    """
    compiled = compile_pattern("data.label_pattern", pattern, "label")
    found = [(path, compiled.search(path)) for path in paths]
    placed = [LabelledImage(path, match["label"], "") for path, match in found if match]
    missed = [path for path, match in found if not match]
    if not placed:
        raise DataError(
            f"data.label_pattern={pattern} matches none of {len(paths)} images, such as "
            f"{name_some(paths, 3)}"
        )
    notes = (
        [f"left out {len(missed)} images that the pattern does not match: {name_some(missed, 5)}"]
        if missed
        else []
    )
    return Layout(tuple(placed), tuple(notes))


def compile_pattern(key: str, pattern: str, group: str) -> re.Pattern[str]:
    """Compile a person's regular expression.

    Raises:
        DataError: If it is broken or lacks the named group.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise DataError(f"{key}={pattern}: {error}", "a regular expression") from None
    if group not in compiled.groupindex:
        raise DataError(
            f"{key}={pattern}: there is no group '{group}'", f"an expression with (?P<{group}>...)"
        )
    return compiled
