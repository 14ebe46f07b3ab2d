"""A depth beyond the stages that have been counted before is refused without timm."""

from pathlib import Path

import pytest

from frostline.errors import BackboneError
from frostline.sweeps.known_depth import check_known_depth, remember_stages
from tests.composed import settings


@pytest.fixture(autouse=True)
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an earlier check has counted, beside a timm that the package does not know."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("frostline.backbones.stage_counts.version", lambda _: "0.0")
    monkeypatch.setenv("FROSTLINE_CACHE", str(tmp_path / "cache"))
    remember_stages([("test_resnet", 5), ("test_vit", 4)])


@pytest.mark.parametrize("freeze", [0, 5, -5, "all", "layer2.0", "[5,3]", "middle"])
def test_depths_that_there_are(freeze: int | str) -> None:
    check_known_depth(settings("backbone=test_resnet", f"freeze={freeze}"))


@pytest.mark.parametrize(("backbone", "freeze"), [("test_resnet", 9), ("test_vit", -5)])
def test_depths_that_there_are_not(backbone: str, freeze: int) -> None:
    stages = {"test_resnet": 5, "test_vit": 4}[backbone]
    with pytest.raises(BackboneError) as refused:
        check_known_depth(settings(f"backbone={backbone}", f"freeze={freeze}"))
    assert refused.value.given == f"freeze={freeze}: {backbone} has {stages} stages"
    assert f"0 to {stages}, all" in refused.value.allowed
    assert f"python -m src.backbones {backbone}" in refused.value.todo


def test_listed_stages_that_there_are_not() -> None:
    with pytest.raises(BackboneError) as refused:
        check_known_depth(settings("backbone=test_resnet", "freeze=[9]"))
    assert refused.value.given == "freeze=[9]: test_resnet has 5 stages"
    assert refused.value.allowed == "a list of stages from 1 to 5"
    remember_stages([("test_vit", 2)])
    with pytest.raises(BackboneError, match="freeze=middle: test_vit has 2 stages"):
        check_known_depth(settings("backbone=test_vit", "freeze=middle"))


def test_an_unknown_backbone_and_other_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    check_known_depth(settings("backbone=resnet18", "freeze=9"))
    monkeypatch.setattr("frostline.sweeps.known_depth.version", lambda _: "99.0")
    check_known_depth(settings("backbone=test_resnet", "freeze=9"))
