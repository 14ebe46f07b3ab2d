"""What the contracts share."""

from pathlib import Path

import pytest

from frostline.features import prefix_outputs
from frostline.features.cost_model import Speeds
from frostline.features.disk_speed import disk_speeds


@pytest.fixture(autouse=True)
def idle_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether storing pays is asked elsewhere: here a moment in which the disk is busy decides not.

    The folder is tried all the same, and raises if it cannot be written to.
    """

    def speeds(folder: Path) -> Speeds:
        disk_speeds(folder)
        return Speeds(write=2e9, read_disk=2e9, read_memory=1e10)

    monkeypatch.setattr(prefix_outputs, "disk_speeds", speeds)
