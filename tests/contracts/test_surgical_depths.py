"""What is promised of stages that are frozen wherever they lie, on small nets of the families."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from frostline.backbones.backbone import Backbone
from frostline.backbones.build import build_backbone
from frostline.backbones.freezing import trainable_parameters
from frostline.backbones.split.cut import cut
from frostline.backbones.split.stage_cuts import stage_cut_finder
from frostline.backbones.state_digest import digest_of
from frostline.errors import BackboneError
from tests.contracts.backbone_contract import check_depth
from tests.contracts.reused import FAMILIES, prefix_job, relative_gaps, small_leaves, train

# As in test_backbone_contract, and a dense one, whose stages read what all before them give.
SMALL = [
    ("resnet10t", 64), ("vgg11", 32), ("test_efficientnet", 64), ("regnety_002", 64),
    ("test_convnext", 64), ("test_vit", 64), ("test_maxvit", 64), ("book_cnn", 64),
    ("densenetblur121d", 64),
]  # fmt: skip


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROSTLINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FROSTLINE_HOME", str(tmp_path / "home"))
    torch.set_num_threads(1)


@pytest.mark.parametrize(("name", "size"), SMALL)
def test_the_contract_of_depths_holds(name: str, size: int) -> None:
    backbone = build_backbone(name, weights="random", image_size=size, seed=0)
    finder = stage_cut_finder(backbone, pool="avg")
    last = len(backbone.stages)
    for freeze in ("middle", "[1,3]", f"[{last}]"):
        outcome = check_depth(backbone, freeze, finder=finder)
        assert outcome.exact, f"freeze={freeze}: {outcome.reason}"
        assert_every_other_stage_trains(backbone, freeze)


def assert_every_other_stage_trains(backbone: Backbone, freeze: str) -> None:
    """A step moves each stage that is not frozen, those below a frozen one too, and no other."""
    depth = backbone.depth(freeze)
    parts = cut(backbone, depth, pool="avg")
    head = torch.nn.Linear(parts.num_features, 3)
    backbone.train()
    frozen, before = digest_of(parts.frozen_modules), backbone.model.state_dict()
    before = {name: tensor.clone() for name, tensor in before.items()}
    optimizer = torch.optim.AdamW(trainable_parameters(parts.suffix, head), lr=1e-3)
    with torch.no_grad():
        inputs = parts.prefix(torch.randn(4, *backbone.input.shape))
    F.cross_entropy(head(parts.suffix(inputs)), torch.arange(4) % 3).backward()
    optimizer.step()
    assert digest_of(parts.frozen_modules) == frozen
    parameters = dict(backbone.model.named_parameters())
    for stage in backbone.stages:
        moved = [
            not torch.equal(parameters[n], before[n]) for n in stage.tensors if n in parameters
        ]
        assert any(moved) == (not depth.frozen_tensors >= set(stage.tensors)), stage.number
    backbone.model.load_state_dict(before)


def test_shares_and_prefix() -> None:
    backbone = build_backbone("resnet50", weights="random", image_size=64, seed=0)
    params = [stage.params for stage in backbone.stages]
    flops = [stage.flops for stage in backbone.stages]
    depth = backbone.depth("[1,2,4]")
    assert (depth.label, depth.prefix_label) == ("[1,2,4]", "2")
    assert (depth.frozen_stages, depth.prefix_stages) == (3, 2)
    assert depth.frozen_params == params[0] + params[1] + params[3]
    assert depth.frozen_flops == flops[0] + flops[1] + flops[3]
    assert depth.prefix_flops == flops[0] + flops[1]
    assert depth.boundary == backbone.depth(2).boundary
    assert depth.prefix_tensors == backbone.depth(2).frozen_tensors
    middle = backbone.depth("middle")
    assert (middle.label, middle.prefix_stages, middle.boundary) == ("[2,3,4]", 0, None)
    assert backbone.depth("[2,1]") == backbone.depth(2)
    assert backbone.depth("[1,2,3,4,5]") == backbone.depth(5)


def test_stages_that_a_backbone_lacks() -> None:
    backbone = build_backbone("book_cnn", weights="random", image_size=64, seed=0)
    assert backbone.depth("middle").label == "[2]"
    with pytest.raises(BackboneError) as refused:
        backbone.depth("[2,4]")
    assert refused.value.given.startswith("freeze=[2,4]: book_cnn has 3 stages")
    assert refused.value.allowed == "a list of stages from 1 to 3"


@pytest.mark.parametrize("name", FAMILIES)
def test_a_frozen_prefix_is_stored_and_nothing_else(name: str, tmp_path: Path) -> None:
    table = small_leaves()
    without = train(table, name, "[1,2,4]", tmp_path, reuse="off", augment="flip")
    with_store = train(table, name, "[1,2,4]", tmp_path, reuse="auto", augment="flip")
    assert with_store.inputs.decision.reuse, with_store.inputs.decision.reason
    gaps = relative_gaps(without.losses, with_store.losses)
    assert gaps[: len(gaps) // 2] == [0.0] * (len(gaps) // 2)
    assert max(gaps) < 1e-4
    # Its stored outputs are those of freeze=2, which therefore computes none.
    _, _, deeper = prefix_job(table, name, 2, augment="flip", seed=0, batch_size=16)
    again = train(table, name, 2, tmp_path, reuse="auto", augment="flip")
    assert again.inputs.decision.reuse
    assert (with_store.inputs.computed > 0, again.inputs.computed) == (True, 0)
    frozen = {f"backbone.model.{n}" for n in deeper.depth.frozen_tensors}
    for key in frozen:
        assert torch.equal(with_store.state[key], without.state[key])


def test_without_a_prefix_reuse_is_off_and_says_why(tmp_path: Path) -> None:
    made = train(small_leaves(), "test_resnet", "[3,4]", tmp_path, reuse="auto")
    assert str(made.inputs.decision) == (
        "reuse off: freeze=[3,4] trains the first stage, so nothing below is frozen"
    )


def test_a_run_moves_all_stages_but_the_listed_ones(tmp_path: Path) -> None:
    made = train(small_leaves(), "test_resnet", "[2,4]", tmp_path, reuse="auto", epochs=1)
    _, backbone, parts = prefix_job(
        small_leaves(), "test_resnet", "[2,4]", augment="none", seed=0, batch_size=16
    )
    frozen = {n for stage in (2, 4) for n in backbone.stages[stage - 1].tensors}
    changed = {
        name.removeprefix("backbone.model.")
        for name, tensor in made.state.items()
        if name.startswith("backbone.model.")
        and not torch.equal(
            tensor, backbone.model.state_dict()[name.removeprefix("backbone.model.")]
        )
    }
    assert not changed & frozen
    others = {n for n, _ in backbone.model.named_parameters()} - frozen
    assert len(changed & others) >= 0.9 * len(others)
    assert parts.depth.frozen_tensors == frozen
