"""What the checks decode is decoded for training as well: each file once, with the same pixels."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frostline.backbones.build import input_spec
from frostline.backbones.spec import InputSpec
from frostline.data.checked_images import CheckedImages
from frostline.data.checks.checkup import THUMBNAIL
from frostline.data.geometry import square
from frostline.data.image_datamodule import geometries_of
from frostline.data.load import load_table
from frostline.data.pixel_files import lock_of, others_to_store, path_of
from frostline.data.pixels import open_pixels
from frostline.data.sources.folder import load_folder
from frostline.errors import DataChangedError
from frostline.locks import OwnerLock
from frostline.sweeps.preflight import check_jobs
from tests.composed import settings
from tests.inference.tiny_run import draw_ramps

SPEC = InputSpec(32, (0.5,) * 3, (0.5,) * 3, "bicubic", 0.9, "center", False)
CROPPED = geometries_of(SPEC, "crop")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FROSTLINE_CACHE", str(tmp_path / "cache"))
    draw_ramps(tmp_path / "photos", per_class=8)
    return tmp_path / "photos"


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file was decoded completely."""
    count: Counter[str] = Counter()
    real = CheckedImages.__call__

    def counted(self: CheckedImages, item: str) -> Any:
        count[item] += 1
        return real(self, item)

    monkeypatch.setattr(CheckedImages, "__call__", counted)
    return count


def test_each_file_is_decoded_once_for_all_squares(root: Path, decoded: Counter[str]) -> None:
    table = load_folder(str(root), on_bad_image="error")
    every = np.arange(len(table))
    thumbnails = open_pixels(table, THUMBNAIL, memory_gib=1.0, also=CROPPED).take(every)
    assert decoded == dict.fromkeys(table.items, 1)
    found = {CROPPED[0]: None, CROPPED[1]: None}
    for geometry in found:
        found[geometry] = open_pixels(table, geometry, memory_gib=1.0).take(every)
    assert decoded == dict.fromkeys(table.items, 1)
    assert len(found) == 2
    for geometry, squares in {THUMBNAIL: thumbnails, **found}.items():
        alone = [square(table.open_image(item), geometry) for item in table.items]
        assert np.array_equal(squares, np.stack(alone))


def test_what_the_plan_checks_needs_no_decoding_in_the_jobs(
    root: Path, decoded: Counter[str]
) -> None:
    words = [
        f"data.path={root}", "data=folder", "backbone=test_resnet", "weights=random",
        "image_size=48", "trainer=cpu", "lr=1e-3",
    ]  # fmt: skip
    jobs = [settings(*words, f"augment={augment}") for augment in ("none", "crop")]
    check_jobs(jobs, on_progress=lambda text: None)
    before = decoded.total()
    table = load_table(jobs[0].data)
    for geometry in geometries_of(input_spec("test_resnet", 48), "crop"):
        open_pixels(table, geometry, memory_gib=1.0)
    assert decoded.total() == before
    # Some are shown on the page of the data check.
    assert before < 2 * len(table)


def test_a_plan_that_is_only_shown_stores_no_squares(root: Path) -> None:
    words = [f"data.path={root}", "data=folder", "backbone=test_resnet", "weights=random"]
    job = settings(*words, "image_size=48", "trainer=cpu", "lr=1e-3", "dry_run=true")
    check_jobs([job], on_progress=lambda text: None)
    table = load_table(job.data)
    assert path_of(table, THUMBNAIL).exists()
    assert not path_of(table, geometries_of(input_spec("test_resnet", 48), "none")[0]).exists()


def test_squares_that_are_there_or_being_made_or_too_many_are_left(root: Path) -> None:
    table = load_folder(str(root), on_bad_image="error")
    evaluation, training = CROPPED
    with others_to_store(table, CROPPED, room_bytes=1e9) as chosen:
        assert chosen == [evaluation, training]
    with others_to_store(table, CROPPED, room_bytes=len(table) * 32 * 32 * 3) as chosen:
        assert chosen == [evaluation]
    lock = OwnerLock(lock_of(path_of(table, evaluation)))
    assert lock.try_acquire()
    with others_to_store(table, CROPPED, room_bytes=1e9) as chosen:
        assert chosen == [training]
    lock.release()
    open_pixels(table, training, memory_gib=1.0)
    with others_to_store(table, CROPPED, room_bytes=1e9) as chosen:
        assert chosen == [evaluation]


def test_a_file_that_has_changed_leaves_no_squares_of_any_kind(root: Path) -> None:
    table = load_folder(str(root), on_bad_image="error")
    (root / table.items[3]).write_bytes((root / table.items[0]).read_bytes())
    with pytest.raises(DataChangedError):
        open_pixels(table, THUMBNAIL, memory_gib=1.0, also=CROPPED)
    folder = path_of(table, THUMBNAIL).parent
    assert {path.suffix for path in folder.iterdir()} == {".lock"}
