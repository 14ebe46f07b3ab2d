"""Which data source reads a path: a folder, a table, an archive or a saved data set."""

from pathlib import Path

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")
TABLE_SUFFIXES = (".csv", ".tsv")
READABLE_PATHS = "a folder, a .csv, a .zip or .tar, or a data set that `datasets` saved"


def source_kind(path: str | Path) -> str | None:
    """The member of the config group `data` that reads a path.

    Args:
        path: A file or folder. Without one of that name, the suffix decides.

    Returns:
        "folder", "csv", "archive" or "hub"; None if no source reads it.
    """
    place = Path(path).expanduser()
    if place.is_dir():
        return "hub" if is_saved_dataset(place) else "folder"
    name = place.name.lower()
    if name.endswith(TABLE_SUFFIXES):
        return "csv"
    return "archive" if name.endswith(ARCHIVE_SUFFIXES) else None


def is_saved_dataset(folder: Path) -> bool:
    """Whether `save_to_disk` of the library `datasets` wrote a folder."""
    return any((folder / name).exists() for name in ("state.json", "dataset_dict.json"))
