"""What launchers of Hydra compose a job from again holds what the plan has found out."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from frostline.sweeps.launch import _range_overrides
from frostline.sweeps.plan import with_value_range
from tests.composed import settings


@pytest.mark.parametrize(
    "value_range", [(0.0, 4095.0), (-1000.0, 1000.0), (0.0, 1e-05), (0.0, 2147483647.0)]
)
def test_the_range_of_deep_images_reaches_the_config_of_a_launched_run(
    value_range: tuple[float, float], tmp_path: Path
) -> None:
    """A checkpoint that is given by its path has only this config to say how it was trained."""
    words = ["data=folder", f"data.path={tmp_path}"]
    facts = SimpleNamespace(value_range=value_range)
    planned = with_value_range(settings(*words), facts)  # type: ignore[arg-type]
    again = settings(*words, *_range_overrides(planned))
    assert again.data == planned.data
    assert again.data.value_range == list(value_range)  # type: ignore[union-attr]


@pytest.mark.parametrize("data", ["leaves", "folder"])
def test_without_deep_images_nothing_is_added(data: str, tmp_path: Path) -> None:
    words = [f"data={data}"] + ([f"data.path={tmp_path}"] if data == "folder" else [])
    assert _range_overrides(settings(*words)) == []
