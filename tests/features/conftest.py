"""A store and a cache of its own for each test, and a small run with and without reuse."""

from pathlib import Path

import pytest
import torch


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FROSTLINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FROSTLINE_HOME", str(tmp_path / "home"))
    torch.set_num_threads(1)
    return tmp_path
