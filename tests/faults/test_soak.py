"""Row 7, short: the long variant is `python -m tests.faults.soak`."""

from pathlib import Path

import pytest

from tests.faults.soak import soak
from tests.integration.conftest import draw_classes, environment


def test_killed_at_random_moments_all_jobs_finish_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw_classes(tmp_path / "photos", per_class=16)
    for key, value in environment(tmp_path).items():
        monkeypatch.setenv(key, value)
    soak(tmp_path, jobs=8, kills=3, seed=3, most_s=5)
