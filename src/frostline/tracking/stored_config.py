"""The composed config that a run was started with, read back as plain values."""

from pathlib import Path
from typing import Any

import yaml

from frostline.errors import TrackingError
from frostline.tracking.reader import Reader
from frostline.tracking.records import RunRecord

CONFIG_FILE = "config.yaml"


def read_config(store: Reader, record: RunRecord, into: Path | None = None) -> dict[str, Any]:
    """Read a run's config from the store.

    Args:
        store: Where the run is.
        record: The run.
        into: Folder for a download; None means a new temporary folder.

    Raises:
        TrackingError: If the run has none, or it cannot be read.
    """
    return load_config(store.fetch_artifact(record.run_id, CONFIG_FILE, into))


def load_config(path: Path) -> dict[str, Any]:
    """Read a run's config from a file.

    Raises:
        TrackingError: If it cannot be read.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise TrackingError(f"{path} cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise TrackingError(f"{path} is not the config of a run")
    return values
