"""Attributions fall where the answer comes from, on convolutions and on tokens."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from frostline.backbones.backbone import Backbone
from frostline.backbones.build import build_backbone
from frostline.backbones.split.cut import cut
from frostline.inference.explain.attribution import Layer, find_layer, grad_cam, overlay, share_off


class Bright(nn.Module):
    """Says class 1 as far as there is red anywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Conv2d(3, 2, 8, stride=8, bias=False)
        with torch.no_grad():
            self.map.weight.zero_()
            self.map.weight[1, 0] = 1 / 64

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.map(x).mean(dim=(2, 3))
        return out


def test_attribution_falls_on_the_corner_that_speaks_for_the_class() -> None:
    network = Bright().eval().requires_grad_(False)
    images = torch.zeros(2, 3, 32, 32)
    images[0, 0, :16, 16:] = 1.0
    images[1, 0, 16:, :16] = 1.0
    maps = grad_cam(network, Layer("map", network.map, None), images, np.array([1, 1]))
    assert maps.shape == (2, 32, 32)
    masks = np.zeros((2, 32, 32), dtype=bool)
    masks[0, :16, 16:] = True
    masks[1, 16:, :16] = True
    assert (share_off(maps, masks) < 0.2).all()
    assert (share_off(maps, ~masks) > 0.8).all()


def test_share_off_is_a_share_of_the_attribution() -> None:
    maps = np.zeros((2, 4, 4), dtype=np.float32)
    maps[0, 0, 0], maps[0, 3, 3] = 3.0, 1.0
    masks = np.zeros((2, 4, 4), dtype=bool)
    masks[:, 0, 0] = True
    shares = share_off(maps, masks)
    assert shares[0] == 0.25
    assert np.isnan(shares[1])


class Classifier(nn.Module):
    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        parts = cut(backbone, backbone.depth(0), pool="avg")
        self.features = parts.suffix
        self.head = nn.Linear(parts.num_features, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.features(x))
        return out


@pytest.mark.parametrize(
    ("name", "ends"),
    [
        ("test_resnet", "layer4"),
        ("test_efficientnet", "bn2"),
        ("test_convnext", "norm_pre"),
        ("test_vit", "norm1"),
    ],
)
def test_every_family_has_a_layer_with_places(name: str, ends: str) -> None:
    torch.manual_seed(0)
    backbone = build_backbone(name, weights="random", image_size=64, seed=1)
    network = Classifier(backbone).eval().requires_grad_(False)
    layer = find_layer(network, backbone)
    assert layer is not None
    assert ends in layer.path
    maps = grad_cam(network, layer, torch.randn(2, 3, 64, 64), np.array([0, 2]))
    assert maps.shape == (2, 64, 64)
    assert maps.min() >= 0 and maps.max() <= 1
    assert maps.std() > 0
    # The run's own weights and flags are as before.
    assert not any(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("sides", [(64, 96), (96, 64)])
@pytest.mark.parametrize(
    ("name", "ends"),
    [
        ("test_resnet", "layer4"),
        ("test_convnext", "norm_pre"),
        ("test_vit", "norm1"),
        ("swin_tiny_patch4_window7_224", "norm"),
    ],
)
def test_a_rectangle_has_rows_and_columns(name: str, ends: str, sides: tuple[int, int]) -> None:
    torch.manual_seed(0)
    backbone = build_backbone(name, weights="random", image_size=sides, seed=1)
    network = Classifier(backbone).eval().requires_grad_(False)
    layer = find_layer(network, backbone)
    assert layer is not None
    assert ends in layer.path
    outputs: list[Tensor] = []
    hook = layer.module.register_forward_hook(lambda _m, _i, output: outputs.append(output))
    with torch.no_grad():
        network(torch.randn(1, 3, *sides))
    hook.remove()
    places = layer.to_map(outputs[0]) if layer.to_map else outputs[0]
    rows, columns = places.shape[2:]
    assert rows * sides[1] == columns * sides[0]
    maps = grad_cam(network, layer, torch.randn(2, 3, *sides), np.array([0, 2]))
    assert maps.shape == (2, *sides)
    assert maps.std() > 0


def test_tokens_of_a_rectangle_stay_in_their_rows() -> None:
    """Red in the lower left of a standing image is found there, by way of its tokens."""

    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.map = nn.Conv2d(3, 2, 8, stride=8, bias=False)
            self.norm1 = nn.Identity()
            with torch.no_grad():
                self.map.weight.zero_()
                self.map.weight[1, 0] = 1 / 64

        def forward(self, x: Tensor) -> Tensor:
            tokens = self.map(x).flatten(2).transpose(1, 2)
            out: Tensor = self.norm1(tokens).mean(dim=1)
            return out

    network = Tokens().eval().requires_grad_(False)
    like = build_backbone("test_vit", weights="random", image_size=(64, 32), seed=1)
    like.model.num_prefix_tokens = 0
    layer = find_layer(network, like)
    assert layer is not None and layer.path == "norm1"
    images = torch.zeros(1, 3, 64, 32)
    images[0, 0, 48:, :16] = 1.0
    maps = grad_cam(network, layer, images, np.array([1]))
    mask = np.zeros((1, 64, 32), dtype=bool)
    mask[0, 44:, :20] = True
    assert share_off(maps, mask)[0] < 0.2


def test_overlay_keeps_the_size() -> None:
    picture = overlay(np.full((8, 8, 3), 100, np.uint8), np.linspace(0, 1, 64).reshape(8, 8))
    assert picture.shape == (8, 8, 3)
    assert picture[7, 7].sum() > picture[0, 0].sum()
