"""A folder of images, or a .zip or .tar of one.

The layout is ROOT/class/..., or ROOT/{train,val,test}/class/...
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from frostline.config.data_settings import RGB_CHANNELS
from frostline.data.channels import ARRAY_SUFFIX, takes_arrays
from frostline.data.layout import LabelledImage, Layout, read_layout
from frostline.data.listing import list_images
from frostline.data.reading_notes import ReadingNotes
from frostline.data.sample_table import SampleTable, name_some
from frostline.data.sources.labelled_files import FileOptions, existing_path, table_of_files
from frostline.data.unpack import unpack_once
from frostline.errors import DataError


def load_folder(
    path: str,
    *,
    on_bad_image: str,
    label_pattern: str | None = None,
    splits: Mapping[str, str | None] | None = None,
    group_by: str | None = None,
    names: str | None = None,
    rename: Mapping[str, str] | None = None,
    min_classes: int = 2,
    value_range: Sequence[float] | str = "auto",
    in_chans: int = RGB_CHANNELS,
) -> SampleTable:
    """Load the table of a folder of images.

    Args:
        path: The folder, relative to the working directory.
        on_bad_image: "error": unreadable images are an error; "skip": they are left out.
        label_pattern: A regular expression that is searched in each path below the folder; its
            group `label` is the class. For data sets with the class in the file name.
        splits: As for `read_layout`.
        group_by: A .json of groups, or a regular expression over the path whose group is the group.
        names: Set of known class names whose spelling is used, such as "plantvillage".
        rename: Class names to other class names.
        min_classes: As in the table.
        value_range: `auto`, or what is black and white in images of more than 8 bits.
        in_chans: Channels that the network takes.

    Raises:
        DataError: If the folder is missing or has no classes, or images cannot be read.
    """
    root = existing_path(path)
    if not root.is_dir():
        raise DataError(
            f"data.path={path} is a file", "a folder", "use data=archive for a .zip or .tar"
        )
    options = FileOptions(on_bad_image, group_by, names, rename, min_classes, value_range, in_chans)
    return read_folder(
        root,
        name=root.resolve().name,
        label_pattern=label_pattern,
        splits=splits,
        options=options,
    )


def read_folder(
    root: Path,
    *,
    name: str,
    label_pattern: str | None,
    splits: Mapping[str, str | None] | None,
    options: FileOptions,
) -> SampleTable:
    """Load the table of an existing folder; see `load_folder`."""
    listing = list_images(root, arrays=takes_arrays(options.in_chans))
    files = {file.path: file for file in listing.files}
    if not files and (n_arrays := listing.other[ARRAY_SUFFIX]):
        raise DataError(
            f"{root} has no image, but {n_arrays} NumPy arrays (.npy)",
            todo="give their number of channels: in_chans=N",
        )
    if label_pattern is None:
        layout = read_layout(list(files), listing.folders, str(root), splits)
    else:
        layout = _by_pattern(list(files), label_pattern)
    notes = layout.notes
    listing.add_notes(notes)
    return table_of_files(root, layout.images, files, name=name, options=options, notes=notes)


def _by_pattern(paths: Sequence[str], pattern: str) -> Layout:
    """Read the classes with a regular expression over the paths.

    Raises:
        DataError: If the expression is invalid, has no group `label`, or matches no image.
    """
    compiled = compile_pattern("data.label_pattern", pattern, "label")
    matches = [(path, compiled.search(path)) for path in paths]
    images = [LabelledImage(path, match["label"], "") for path, match in matches if match]
    unmatched = [path for path, match in matches if not match]
    if not images:
        raise DataError(
            f"data.label_pattern={pattern} matches none of {len(paths)} images, such as "
            f"{name_some(paths, 3)}"
        )
    notes = ReadingNotes()
    if unmatched:
        notes.add(
            f"ignored {len(unmatched)} images that data.label_pattern does not match: "
            f"{name_some(unmatched, 5)}",
            "not matched by data.label_pattern",
            unmatched,
        )
    return Layout(tuple(images), notes)


def compile_pattern(key: str, pattern: str, group: str) -> re.Pattern[str]:
    """Compile a regular expression that the user gave.

    Raises:
        DataError: If it is invalid or lacks the named group.
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


def load_archive(
    path: str,
    *,
    on_bad_image: str,
    label_pattern: str | None = None,
    splits: Mapping[str, str | None] | None = None,
    group_by: str | None = None,
    names: str | None = None,
    rename: Mapping[str, str] | None = None,
    min_classes: int = 2,
    value_range: Sequence[float] | str = "auto",
    in_chans: int = RGB_CHANNELS,
) -> SampleTable:
    """Load the table of an archive, which is unpacked on the first call.

    Args:
        path: A .zip, .tar, .tar.gz or .tgz file, relative to the working directory, with one of the
            layouts of a folder inside.
        on_bad_image: "error": unreadable images are an error; "skip": they are left out.
        label_pattern: As for a folder.
        splits: As for a folder.
        group_by: As for a folder.
        names: As for a folder.
        rename: As for a folder.
        min_classes: As in the table.
        value_range: `auto`, or what is black and white in images of more than 8 bits.
        in_chans: Channels that the network takes.

    Raises:
        DataError: If the archive is not safe to unpack, or has no classes.
    """
    archive = existing_path(path)
    if archive.is_dir():
        raise DataError(
            f"data.path={path} is a folder", "a .zip or .tar file", "use data=folder for folders"
        )
    table = read_folder(
        unpack_once(archive),
        name=archive.name.split(".")[0],
        label_pattern=label_pattern,
        splits=splits,
        options=FileOptions(
            on_bad_image, group_by, names, rename, min_classes, value_range, in_chans
        ),
    )
    return replace(table, source=str(archive))
