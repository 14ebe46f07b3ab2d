"""Rectangles in a command: swept beside squares, refused before the first job, from Python too."""

from pathlib import Path

import pytest

import frostline
from tests.integration.conftest import TINY, environment, start

SWEPT = (
    "-m", *TINY, "backbone=test_resnet", "freeze=all", "lr=0.01", "trainer.threads=1", "epochs=1",
    "report=false",
)  # fmt: skip


def test_a_square_and_rectangles_are_swept_named_and_found_again(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = "image_size=32,[32,48],[48,32]"
    first = start(place, *SWEPT, sizes)
    assert first.returncode == 0, first.stderr
    assert "3 jobs" in first.stderr
    for label in ("image_size=32x48", "image_size=48x32"):
        assert label in first.stderr + first.stdout
    again = start(place, *SWEPT, sizes, "dry_run=true")
    assert "3 jobs, 3 of them finished" in again.stderr
    assert "image_size=32x48" in again.stdout + again.stderr
    monkeypatch.chdir(place)
    for name, value in environment(place).items():
        monkeypatch.setenv(name, value)
    same = frostline.sweep(
        data="photos", backbone="test_resnet", weights="random", image_size=(32, 48), epochs=1,
        lr=0.01, trainer__threads=1, report=False, freeze="all", progress=None,
    )  # type: ignore[operator]  # fmt: skip
    table = same.table()
    assert list(table["state"]) == ["reused"]
    both = frostline.runs()  # type: ignore[operator]
    assert sorted(both["image_size"].astype(str)) == ["32", "32x48", "48x32"]
    assert (both["name"].str.count("image_size=") == 1).sum() == 3


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (
            ["augment=flip,dihedral", "image_size=[32,48]"],
            ["augment=dihedral turns images by 90 degrees", "image_size=[32,48]", "augment=flip"],
        ),
        (
            ["backbone=test_resnet,nest_tiny", "image_size=[224,256]"],
            ["image_size=[224,256]: backbone=nest_tiny is written for squares only"],
        ),
        (
            ["backbone=test_resnet,vit_tiny_patch16_224", "image_size=[32,50]"],
            ["patches of 16 x 16 px", "the nearest: image_size=[32,48]"],
        ),
    ],
)
def test_what_cannot_be_is_said_before_the_first_job(
    place: Path, words: list[str], parts: list[str]
) -> None:
    kept = [word for word in SWEPT if not word.startswith(tuple(w.split("=")[0] for w in words))]
    ended = start(place, *kept, *words)
    assert ended.returncode == 2, ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
    for part in parts:
        assert part in ended.stderr
