"""One and the same run through folder, csv, archive and hub ends with the same numbers."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from frostline.tracking.records import RunRecord
from frostline.tracking.store import open_store
from tests.data.same_photos import as_csv, as_folder, as_hub, as_tar, as_zip
from tests.inference.tiny_run import draw_ramps, train_tiny

SOURCES: dict[str, tuple[Callable[[Path], Path], tuple[str, ...]]] = {
    "folder": (as_folder, ("data=folder",)),
    "csv": (as_csv, ("data=csv", "data.images=photos")),
    "zip": (as_zip, ("data=archive",)),
    "tar": (as_tar, ("data=archive",)),
    "hub": (as_hub, ("data=hub",)),
}


def trained(place: Path, source: str) -> RunRecord:
    lay_out, overrides = SOURCES[source]
    path = lay_out(place / "photos").relative_to(place)
    run_id = train_tiny(place, *overrides, f"data.path={path}", "epochs=2", "augment=trivial")
    return open_store(None, source, folder=place).get_run(run_id)


@pytest.fixture
def place(
    tmp_path: Path, fresh_store_uri: str, monkeypatch: pytest.MonkeyPatch
) -> Path:  # the store is made by the fixture, where it is looked for
    assert fresh_store_uri
    draw_ramps(tmp_path / "photos", per_class=12)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FROSTLINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FROSTLINE_HOME", str(tmp_path / "home"))
    torch.set_num_threads(1)
    return tmp_path


def test_the_same_run_through_every_source(place: Path) -> None:
    runs = {source: trained(place, source) for source in SOURCES}
    wanted = runs["folder"]
    assert 0 < wanted.metrics["train/loss"] < 3
    assert wanted.metrics["test/loss"] > 0
    for source, run in runs.items():
        for name, value in wanted.metrics.items():
            if not name.startswith(("time/", "energy/", "memory/")):
                assert run.metrics[name] == value, f"{name} through {source}"
