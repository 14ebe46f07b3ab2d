"""A .zip or .tar of a folder of images."""

from collections.abc import Mapping
from dataclasses import replace

from frostline.data.sample_table import SampleTable
from frostline.data.sources.folder import read_folder
from frostline.data.sources.labelled_files import FileOptions, existing_path
from frostline.data.unpack import unpack_once
from frostline.errors import DataError


def load_archive(
    path: str,
    *,
    on_bad_image: str,
    label_pattern: str | None = None,
    group_by: str | None = None,
    names: str | None = None,
    rename: Mapping[str, str] | None = None,
) -> SampleTable:
    """Load the table of an archive, which is unpacked on the first call.

    Args:
        path: A .zip, .tar, .tar.gz or .tgz file, relative to the working directory, with one of the
            layouts of a folder inside.
        on_bad_image: "error": unreadable images are an error; "skip": they are left out.
        label_pattern: As for a folder.
        group_by: As for a folder.
        names: As for a folder.
        rename: As for a folder.

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
        options=FileOptions(on_bad_image, group_by, names, rename),
    )
    return replace(table, source=str(archive))
