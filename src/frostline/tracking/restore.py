"""What is needed to build a trained run again: its config, its checkpoint and its metrics."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frostline.errors import TrackingError
from frostline.tracking.lookup import ALLOWED, find_run
from frostline.tracking.reader import Reader
from frostline.tracking.records import DROPPED, WAITS, RunRecord
from frostline.tracking.run_contents import CONFIG_FILE, load_config, read_config

CHECKPOINT = "checkpoints/best.ckpt"


@dataclass(frozen=True)
class Restored:
    """What is needed to build a run's model and data again.

    Attributes:
        record: The run; None for a checkpoint that was given by its path.
        config: The composed config; None if a checkpoint's path has no config.yaml near it.
        checkpoint: Local path of the best checkpoint.
        metrics: The last value of each metric; empty for a checkpoint given by its path.
    """

    record: RunRecord | None
    config: dict[str, Any] | None
    checkpoint: Path
    metrics: Mapping[str, float]


def restore(store: Reader, run: str, *, into: Path | None = None) -> Restored:
    """Find a run and fetch its config and its best checkpoint.

    Args:
        store: Where to look; all its experiments are searched.
        run: A run id or the beginning of one, a run's name, `best:SWEEP`, or a checkpoint's path.
        into: Folder for a download; None means a new temporary folder.

    Raises:
        TrackingError: If there is no such run, or several, or it has no checkpoint.
    """
    if is_checkpoint_path(run):
        return restore_file(Path(run).expanduser())
    record = find_run(store, run)
    _check_whole(record)
    config = read_config(store, record, into)
    checkpoint = store.fetch_artifact(record.run_id, CHECKPOINT, into)
    return Restored(record, config, checkpoint, record.metrics)


def _check_whole(record: RunRecord) -> None:
    """Refuse a run that a race dropped or paused: its weights are not those of a trained run.

    Raises:
        TrackingError: If it is one.
    """
    why = record.tags.get(DROPPED) or record.tags.get(WAITS)
    if why is not None and not record.is_whole:
        raise TrackingError(
            f"{record.name} ({record.run_id}): a race did not train it to its end ({why})",
            todo="give the command of its sweep again with search=grid, which trains what is "
            "missing; or take best:SWEEP",
        )


def is_checkpoint_path(run: str) -> bool:
    """Whether this names a file rather than a run.

    Raises:
        TrackingError: If it is a URL: nothing is downloaded from the network.
    """
    if "://" in run:
        raise TrackingError(
            f"{run}: a checkpoint from an address could run any code, so none is fetched",
            ALLOWED,
            "download the file yourself from a source that you trust, and give its path",
        )
    return run.endswith(".ckpt") or "/" in run or Path(run).is_file()


def restore_file(path: Path) -> Restored:
    """Restore from a checkpoint file, with the config.yaml beside it or one folder up.

    Raises:
        TrackingError: If there is no such file.
    """
    if not path.is_file():
        names = sorted(item.name for item in path.parent.glob("*.ckpt"))
        present = f"that folder has: {', '.join(names)}" if names else ""
        raise TrackingError(f"{path}: there is no such checkpoint", present or ALLOWED)
    for folder in (path.parent, path.parent.parent):
        if (folder / CONFIG_FILE).is_file():
            return Restored(None, load_config(folder / CONFIG_FILE), path, {})
    return Restored(None, None, path, {})
