"""BatchNorm over several processes: the same network, and only what trains is replaced."""

import copy

import pytest
import torch
from torch import nn

from frostline.backbones.backbone import Backbone
from frostline.backbones.build import build_backbone
from frostline.backbones.split.cut import cut
from frostline.backbones.synced_norms import sync_backbone, sync_norms

NETS = ("test_efficientnet", "test_resnet")


def backbone(name: str) -> Backbone:
    return build_backbone(name, weights="random", image_size=64, seed=0)


def images() -> torch.Tensor:
    return torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", NETS)
def test_the_network_stays_what_it_is(name: str) -> None:
    plain, synced = backbone(name), backbone(name)
    assert sync_backbone(synced, 0, adapts=False)
    assert list(synced.model.state_dict()) == list(plain.model.state_dict())
    for training in (False, True, False):  # trained in between, so that statistics differ
        with torch.no_grad():
            wanted, found = (one.train(training)(images()) for one in (plain, synced))
        assert torch.equal(found, wanted)


def test_lightnings_conversion_would_make_another_network_of_it() -> None:
    """Why ours is there: see it fail where this stops being true."""
    plain = backbone("test_efficientnet").eval()
    theirs = nn.SyncBatchNorm.convert_sync_batchnorm(copy.deepcopy(plain.model)).eval()
    with torch.no_grad():
        assert not torch.allclose(theirs(images()), plain.model(images()), atol=1e-3)


@pytest.mark.parametrize("name", NETS)
def test_frozen_layers_stay_as_they_are_and_in_eval_mode(name: str) -> None:
    made = backbone(name)
    norms = {
        path for path, each in made.model.named_modules()
        if isinstance(each, nn.modules.batchnorm._BatchNorm)
    }  # fmt: skip
    synced = set(sync_backbone(made, 2, adapts=False))
    frozen = made.depth(2).frozen_tensors
    assert synced and norms - synced
    assert synced == {path for path in norms if f"{path}.weight" not in frozen}
    parts = cut(made, made.depth(2), pool="avg")
    assert parts.exact, parts.reason
    made.train()
    for path in norms:
        assert made.model.get_submodule(path).training == (path in synced)
    with torch.no_grad():
        made.eval()
        assert torch.equal(parts.suffix(parts.prefix(images())), made(images()))


def test_statistics_that_adapt_are_synced_too() -> None:
    some, every = backbone("test_resnet"), backbone("test_resnet")
    assert len(sync_backbone(every, 2, adapts=True)) > len(sync_backbone(some, 2, adapts=False))


def test_a_heads_norm_is_synced() -> None:
    head = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU())
    assert sync_norms(head) == ["1"]
    assert type(head[1]) is nn.SyncBatchNorm
