"""Which data source reads a path: a folder, a table, an archive or a saved data set."""

import re
from pathlib import Path

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")
TABLE_SUFFIXES = (".csv", ".tsv")
READABLE_PATHS = (
    "a folder, a .csv, a .zip or .tar, a folder of IDX files, or a data set that `datasets` saved"
)
# MNIST and its relatives: train-images-idx3-ubyte.gz, emnist-letters-test-images-idx3-ubyte.
IDX_IMAGES = re.compile(
    r"(?P<lead>(?P<part>.*?)[._-]?)images[.-]idx[34](?:-ubyte)?(?:\.gz)?", re.IGNORECASE
)


def source_kind(path: str | Path) -> str | None:
    """The member of the config group `data` that reads a path.

    Args:
        path: A file or folder. Without one of that name, the suffix decides.

    Returns:
        "folder", "csv", "archive", "idx" or "hub"; None if no source reads it.
    """
    place = Path(path).expanduser()
    if place.is_dir():
        if is_saved_dataset(place):
            return "hub"
        return "idx" if has_idx_files(place) else "folder"
    name = place.name.lower()
    if name.endswith(TABLE_SUFFIXES):
        return "csv"
    return "archive" if name.endswith(ARCHIVE_SUFFIXES) else None


def is_saved_dataset(folder: Path) -> bool:
    """Whether `save_to_disk` of the library `datasets` wrote a folder."""
    return any((folder / name).exists() for name in ("state.json", "dataset_dict.json"))


def has_idx_files(folder: Path) -> bool:
    """Whether a folder holds images in the IDX format, as MNIST's does."""
    try:
        return any(IDX_IMAGES.fullmatch(file.name) for file in folder.iterdir())
    except OSError:
        return False
