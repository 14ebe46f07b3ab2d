"""A short one of what `make test-chaos` does for ten minutes: every fault that the time allows."""

from pathlib import Path

import pytest

from tests.faults.chaos import Chaos
from tests.integration.conftest import environment


def test_chaos_loses_nothing_and_records_nothing_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in environment(tmp_path).items():
        monkeypatch.setenv(key, value)
    Chaos(tmp_path, jobs=4, seed=1).run(seconds=30, most_s=15)
