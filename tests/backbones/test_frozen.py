import copy
import pickle

import pytest
import torch
from torch import nn

from frostline.backbones.backbone import Backbone
from frostline.backbones.build import build_backbone
from frostline.backbones.freezing import is_held_in_eval, set_frozen, trainable_parameters
from frostline.backbones.split.cut import cut
from frostline.backbones.state_digest import FrozenPart, digest_of


@pytest.fixture
def backbone() -> Backbone:
    return build_backbone("resnet10t", weights="random", image_size=64, seed=0)


def _modes(backbone: Backbone) -> dict[str, bool]:
    return {path: module.training for path, module in backbone.model.named_modules()}


def _trains(backbone: Backbone) -> set[str]:
    return {name for name, p in backbone.model.named_parameters() if p.requires_grad}


def test_train_on_any_parent_leaves_a_frozen_module_in_eval_mode(backbone: Backbone) -> None:
    set_frozen(backbone, backbone.depth(3))
    outer = nn.Sequential(backbone, nn.Linear(1, 1))
    for train in (backbone.model.train, backbone.train, outer.train, backbone.model.layer1.train):
        train()
        for path in ("conv1", "bn1", "layer1.0.bn1", "layer2", "layer2.0.bn2"):
            assert not backbone.model.get_submodule(path).training, path
    assert backbone.model.layer3.training
    assert backbone.model.layer4[0].bn1.training
    assert backbone.model.training


def test_statistics_of_a_frozen_stage_do_not_move(backbone: Backbone) -> None:
    set_frozen(backbone, backbone.depth(2))
    backbone.train()
    before = copy.deepcopy(backbone.model.state_dict())
    backbone(torch.randn(4, 3, 64, 64))
    after = backbone.model.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved
    assert {name.split(".")[0] for name in moved} == {"layer2", "layer3", "layer4"}


def test_frozen_bn_train_lets_statistics_move_and_nothing_else(backbone: Backbone) -> None:
    parts = cut(backbone, backbone.depth(2), pool="avg", frozen_bn="train")
    assert parts.exact
    assert not parts.reusable
    backbone.train()
    before = digest_of(parts.frozen_modules)
    mean = backbone.model.bn1.running_mean.clone()
    parts.prefix(torch.randn(4, 3, 64, 64))
    assert not torch.equal(backbone.model.bn1.running_mean, mean)
    assert digest_of(parts.frozen_modules) == before
    assert not backbone.model.layer1[0].conv1.weight.requires_grad


def test_set_frozen_is_a_function_of_the_depth_alone(backbone: Backbone) -> None:
    backbone.train()
    seen = {}
    for depth in (0, 2, 4, "all"):
        set_frozen(backbone, backbone.depth(depth))
        seen[depth] = (_modes(backbone), _trains(backbone))
    for depth in ("all", 0, 4, 2, 0, "all", 2):
        set_frozen(backbone, backbone.depth(depth))
        assert (_modes(backbone), _trains(backbone)) == seen[depth], depth
    assert seen["all"][1] == set()
    assert seen[0][1] == {name for name, _ in backbone.model.named_parameters()}
    assert all(seen[0][0].values())


def test_a_module_released_in_eval_mode_stays_in_eval_mode(backbone: Backbone) -> None:
    set_frozen(backbone, backbone.depth("all"))
    backbone.eval()
    set_frozen(backbone, backbone.depth(0))
    assert not any(_modes(backbone).values())


def test_names_in_the_state_and_copies_stay(backbone: Backbone) -> None:
    names = list(backbone.model.state_dict())
    set_frozen(backbone, backbone.depth(2))
    assert list(backbone.model.state_dict()) == names
    assert type(backbone.model.bn1) is nn.BatchNorm2d
    for twin in (copy.deepcopy(backbone), pickle.loads(pickle.dumps(backbone))):
        twin.train()
        assert is_held_in_eval(twin.model.bn1)
        assert not twin.model.bn1.training
        assert twin.model.layer4.training
        assert digest_of(twin.model) == digest_of(backbone.model)
        set_frozen(twin, twin.depth(0))
        assert twin.model.bn1.training
        assert not backbone.model.bn1.training


def test_digest_shows_any_change_in_parameters_and_buffers(backbone: Backbone) -> None:
    parts = cut(backbone, backbone.depth(2), pool="avg")
    before = digest_of(parts.frozen_modules)
    with torch.no_grad():
        backbone.model.layer4[0].conv1.weight.add_(1)
    assert digest_of(parts.frozen_modules) == before
    with torch.no_grad():
        backbone.model.bn1.running_var[0] += 1e-6
    assert digest_of(parts.frozen_modules) != before


def test_digest_follows_names_and_types() -> None:
    layer = nn.Linear(2, 2)
    assert digest_of(layer) == digest_of(copy.deepcopy(layer))
    assert digest_of(layer) != digest_of(layer.double())
    assert digest_of(FrozenPart(layer, frozenset())) != digest_of(layer)
    half = nn.Linear(2, 2).to(torch.bfloat16)
    assert len(digest_of(half)) == 64


def test_trainable_parameters_are_those_behind_the_depth_once(backbone: Backbone) -> None:
    parts = cut(backbone, backbone.depth(4), pool="avg")
    head = nn.Linear(parts.num_features, 3)
    found = trainable_parameters(parts.suffix, head, backbone)
    expected = [*backbone.model.layer4.parameters(), *head.parameters()]
    assert {id(p) for p in found} == {id(p) for p in expected}
    assert len(found) == len(expected)


def test_freezing_drops_stale_gradients(backbone: Backbone) -> None:
    backbone(torch.randn(2, 3, 64, 64)).sum().backward()
    set_frozen(backbone, backbone.depth(1))
    assert backbone.model.conv1[0].weight.grad is None
    assert backbone.model.layer1[0].conv1.weight.grad is not None
