"""What can be said of a data set's path before the libraries are imported."""

import sys
from pathlib import Path

from frostline.config.data_settings import DataSettings
from frostline.data.source_kind import source_kind
from frostline.errors import DataError

_READS = {
    "folder": "one folder per class",
    "csv": "tables",
    "archive": "a .zip or .tar of one folder per class",
    "hub": "data sets that `datasets` saved",
    "idx": "a folder of files in the IDX format, as MNIST's",
}
_IMAGES = {".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp"}


def check_path(data: DataSettings) -> None:
    """Check that the path of a data set can be recorded, and is what its source reads.

    Raises:
        DataError: If it is no text, or another source reads it.
    """
    path = getattr(data, "path", None)
    chosen = str(getattr(data, "source", ""))
    if path is None or not Path(path).expanduser().exists():
        return
    check_is_text(path)
    place = Path(path).expanduser()
    kind = source_kind(place)
    if chosen == "hub" and kind == "folder":
        return
    if kind is None and place.suffix.lower() in _IMAGES:
        raise DataError(
            f"data.path={path}: this is one image",
            "a folder with one folder of images per class, or a table of images and labels",
            f"data.path={place.parent.parent}",
        )
    if kind is None or kind == chosen:
        return
    what = f"`data={chosen}` reads {_READS[chosen]}"
    raise DataError(
        f"data.path={path}: {what}, and this is {_what_is(place, kind)}",
        f"data={kind} data.path={path}",
        f"write data={kind}, or leave `data=` out: the path says what reads it",
    )


def check_is_text(path: str) -> None:
    """Check that a path can be written into records and pages.

    Raises:
        DataError: If it has bytes that are no characters.
    """
    whole = str(Path(path).expanduser().resolve())
    if any("\ud800" <= letter <= "\udfff" for letter in whole):
        read_as = sys.getfilesystemencoding()
        raise DataError(
            f"{ascii(whole)[1:-1]}: this path has bytes that are not {read_as.upper()}",
            "names in UTF-8",
            "rename what has another one"
            if read_as == "utf-8"
            else "set PYTHONUTF8=1 in the environment before Python starts",
        )


def _what_is(place: Path, kind: str) -> str:
    if place.is_dir():
        folders = {"folder": "a folder", "idx": "a folder of IDX files"}
        return folders.get(kind, "a folder that `datasets` saved")
    return {"csv": "a table", "archive": "an archive"}.get(kind, "a file")
