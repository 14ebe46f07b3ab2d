"""What is promised of every backbone, on small nets of the common families, at every depth."""

import os
import re
import time
from pathlib import Path

import pytest
import torch

from benchmarks.survey import PAGE, survey_one
from frostline.backbones.build import build_backbone, create_timm
from frostline.backbones.freezing import set_frozen
from frostline.backbones.split.cut import cut
from frostline.backbones.split.stage_cuts import stage_cut_finder
from tests.contracts.architectures import ARCHITECTURES
from tests.contracts.backbone_contract import (
    BrokenContractError,
    check_depth,
    check_partition,
    check_saved,
)

# One small net a kind; all other families are in the slow broad run below.
SMALL = [
    ("resnet10t", 64), ("vgg11", 32), ("test_efficientnet", 64), ("mobilenetv3_small_050", 64),
    ("regnety_002", 64), ("test_convnext", 64), ("test_vit", 64), ("test_nfnet", 64),
    ("test_maxvit", 64), ("book_cnn", 64),
]  # fmt: skip


@pytest.mark.parametrize(("name", "size"), SMALL)
def test_contract_at_every_depth(name: str, size: int) -> None:
    backbone = build_backbone(name, weights="random", image_size=size, seed=0)
    check_partition(backbone)
    finder = stage_cut_finder(backbone, pool="avg")
    for freeze in [*range(len(backbone.stages) + 1), "all"]:
        outcome = check_depth(backbone, freeze, finder=finder)
        assert outcome.exact, f"freeze={freeze}: {outcome.reason}"
    cut(backbone, backbone.depth(1), pool="avg")
    images = torch.randn(2, 3, size, size)
    check_saved(backbone, lambda: create_timm(name, backbone.input), images)


def test_the_contract_notices_statistics_that_move() -> None:
    backbone = build_backbone("resnet10t", weights="random", image_size=64, seed=0)
    honest = check_depth(backbone, 2)
    assert honest.exact
    norm = backbone.model.layer1[0].bn1
    original = norm.forward

    def moves(x: torch.Tensor) -> torch.Tensor:
        norm.running_mean.add_(0.1)
        return original(x)

    norm.forward = moves
    with pytest.raises(BrokenContractError):
        check_depth(backbone, 2)


def test_the_contract_notices_a_module_that_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = build_backbone("resnet10t", weights="random", image_size=64, seed=0)

    def releases_one(backbone: object, *args: object, **kwargs: object) -> None:
        set_frozen(backbone, *args, **kwargs)  # type: ignore[arg-type]
        del backbone.model.bn1.__dict__["train"]  # type: ignore[attr-defined]

    monkeypatch.setattr("frostline.backbones.split.cut.set_frozen", releases_one)
    with pytest.raises(BrokenContractError, match="bn1: frozen modules must be held in eval mode"):
        check_depth(backbone, 2)


# All of them take minutes. CI takes another part each day, so that every one has its turn.
_PARTS = int(os.environ.get("BACKBONES_IN_PARTS", "1"))
_PART = time.gmtime().tm_yday % _PARTS

_ROW = re.compile(r"^\| (\S+) \| (\S+) \| (\d+) \| ([\d,]+) \| (\d+) \| (\S.*?) \| (.*?) ?\|$")


def _table() -> dict[str, tuple[int, str, str]]:
    text = (Path(__file__).parents[2] / PAGE).read_text(encoding="utf-8")
    rows = [match for line in text.splitlines() if (match := _ROW.match(line))]
    return {row[2]: (int(row[5]), row[6], row[7]) for row in rows}


def test_the_table_reaches_the_promised_figures() -> None:
    table = _table()
    assert len(table) >= 100
    assert set(table) == set(ARCHITECTURES)
    assert sum(stages > 0 for stages, _, _ in table.values()) >= 0.95 * len(table)
    assert sum(cuts == "yes" for _, cuts, _ in table.values()) >= 0.85 * len(table)
    assert not any("**" in reason for _, _, reason in table.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", ARCHITECTURES[_PART::_PARTS])
def test_the_table_is_true(name: str) -> None:
    row = survey_one(name)
    stages, cuts, _ = _table()[name]
    assert row.wrong == ""
    assert row.stages == stages
    assert ("yes" if row.cut_everywhere else f"{row.cuts} of {max(0, stages - 1)}") == cuts
