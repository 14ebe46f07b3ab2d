"""The folder that Hydra makes for a run before anybody knows whether there will be one."""

from contextlib import suppress
from pathlib import Path

_HYDRA_FILES = ("config.yaml", "hydra.yaml", "overrides.yaml")


def remove_if_unused(folder: Path, hydra_folder: str | None, *, above: Path) -> None:
    """Remove a run's folder in which a mistake or a dry run has left nothing.

    Only what Hydra writes by itself is removed: the files of the config, and logs without a line.

    Args:
        folder: The run's folder.
        hydra_folder: Name of the folder in it for the files of the config; None if there is none.
        above: Empty folders between this one and the run's are removed too.
    """
    own = folder / hydra_folder if hydra_folder else None
    files = [path for path in folder.rglob("*") if not path.is_dir()]
    left = [
        path
        for path in files
        if not (path.parent == own and path.name in _HYDRA_FILES)
        and not (path.parent == folder and path.suffix == ".log" and path.stat().st_size == 0)
    ]
    if left:
        return
    with suppress(OSError):  # in use, or not ours to remove
        for path in files:
            path.unlink()
        if own is not None and own.is_dir():
            own.rmdir()
        while folder != above and above in folder.parents:
            folder.rmdir()
            folder = folder.parent
