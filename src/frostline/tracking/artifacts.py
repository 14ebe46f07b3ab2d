"""Where a run's artifact lies on this machine: in its journal, or in the store's folder."""

import tempfile
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from frostline.tracking.journal_file import Entry

_FILE_SCHEME = "file://"


def find_in_journal(entries: Iterable[Entry], path: str, into: Path | None) -> Path | None:
    """An artifact that waits in the run's journal; None if there is none.

    Args:
        entries: The journal.
        path: Path within the run's artifacts.
        into: Folder for a text, which the journal holds without a file; None means a new temporary
            folder.
    """
    file: Path | None = None
    for entry in entries:
        if entry["op"] == "text" and entry["path"] == path:
            file = (into or Path(tempfile.mkdtemp())) / Path(path).name
            file.write_text(entry["text"], encoding="utf-8")
        if entry["op"] != "artifact":
            continue
        copy = Path(entry["file"])
        logged_as = f"{entry['folder']}/{copy.name}".lstrip("/")
        if logged_as == path:
            file = copy
        elif path.startswith(f"{logged_as}/"):
            file = copy / path.removeprefix(f"{logged_as}/")
    return file if file is not None and file.exists() else None


def is_local_uri(artifact_uri: str) -> bool:
    """Whether a run's artifacts lie in a folder of this machine."""
    return artifact_uri.startswith(_FILE_SCHEME)


def find_in_folder(artifact_uri: str, path: str, artifact_root: Path | None) -> Path | None:
    """An artifact in a run's local folder; None if there is none.

    Args:
        artifact_uri: The run's folder, as MLflow recorded it.
        path: Path within it.
        artifact_root: The store's folder of artifacts now. MLflow keeps absolute paths, so this is
            where artifacts lie after the store was moved.
    """
    recorded = Path(url2pathname(urlsplit(artifact_uri).path))
    folders = [recorded]
    if artifact_root is not None:
        folders.append(artifact_root.joinpath(*recorded.parts[-3:]))
    return next((folder / path for folder in folders if (folder / path).exists()), None)
