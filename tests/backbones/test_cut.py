import copy
import pickle

import pytest
import torch
from torch import nn

from frostline.backbones.backbone import Backbone
from frostline.backbones.build import build_backbone
from frostline.backbones.split.cut import WholeModel, cut
from frostline.backbones.split.model_part import ModelPart
from frostline.errors import BackboneError


def _build(name: str, size: int | None = 64) -> Backbone:
    return build_backbone(name, weights="random", image_size=size, seed=0)


def _images(size: int = 64, count: int = 3) -> torch.Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(1))


def test_parts_are_the_model_at_every_depth() -> None:
    backbone = _build("resnet10t")
    backbone.eval()
    with torch.no_grad():
        whole = backbone(_images())
    for depth in (0, 1, 2, 3, 4, 5, "all", "layer3.0", "layer2.0.conv1"):
        parts = cut(backbone, backbone.depth(depth), pool="avg")
        assert parts.exact, parts.reason
        with torch.no_grad():
            assert torch.equal(parts.suffix(parts.prefix(_images())), whole), depth
        assert parts.depth.label == str(depth)


def test_what_is_counted() -> None:
    backbone = _build("resnet50")
    parts = cut(backbone, backbone.depth(2), pool="avg")
    assert parts.depth.frozen_params == 225_344
    assert parts.depth.total_params == 23_508_032
    assert parts.depth.frozen_params_frac == pytest.approx(225_344 / 23_508_032)
    assert (parts.depth.frozen_stages, parts.depth.num_stages, parts.num_features) == (2, 5, 2048)
    flops = [stage.flops for stage in backbone.stages]
    assert parts.depth.frozen_flops_frac == pytest.approx(sum(flops[:2]) / sum(flops))
    inside = cut(backbone, backbone.depth("layer3.2"), pool="avg")
    assert inside.depth.frozen_stages == 3
    assert 0 < inside.depth.frozen_flops_frac < sum(flops[:4]) / sum(flops)


def test_vgg16_with_block5_open_trains_7_079_424() -> None:
    backbone = _build("vgg16", 150)
    parts = cut(backbone, backbone.depth(4), pool="flatten")
    trains = sum(p.numel() for p in parts.suffix.parameters() if p.requires_grad)
    assert trains == 7_079_424
    assert parts.num_features == 8192
    assert nn.Linear(parts.num_features, 256).weight.numel() + 256 == 2_097_408
    assert cut(backbone, backbone.depth(4), pool="avg").num_features == 512


def test_freeze_all_gives_pooled_features() -> None:
    backbone = _build("resnet10t")
    for freeze in ("all", 5):
        parts = cut(backbone, backbone.depth(freeze), pool="avg")
        assert parts.prefix(_images()).shape == (3, 512)
        assert isinstance(parts.suffix, nn.Identity)
        assert parts.depth.frozen_params_frac == parts.depth.frozen_flops_frac == 1.0


def test_the_prefix_has_no_gradient_and_the_suffix_has() -> None:
    backbone = _build("resnet10t")
    parts = cut(backbone, backbone.depth(3), pool="avg")
    crossing = parts.prefix(_images())
    assert not crossing.requires_grad
    parts.suffix(crossing).sum().backward()
    assert backbone.model.layer4[0].conv1.weight.grad is not None
    assert backbone.model.layer1[0].conv1.weight.grad is None


def test_the_suffix_shares_its_modules_with_the_model() -> None:
    backbone = _build("resnet10t")
    parts = cut(backbone, backbone.depth(3), pool="avg")
    with torch.no_grad():
        for parameter in parts.suffix.parameters():
            parameter.zero_()
    assert not bool(backbone.model.layer4[0].conv1.weight.any())
    assert bool(backbone.model.layer1[0].conv1.weight.any())


def test_suffix_alone_goes_into_train_and_eval_mode() -> None:
    backbone = _build("test_vit")
    parts = cut(backbone, backbone.depth(2), pool="avg")
    parts.suffix.train()
    assert backbone.model.blocks[5].training
    assert not backbone.model.blocks[0].training
    parts.suffix.eval()
    assert not backbone.model.blocks[5].training


def test_what_crosses_the_boundary_is_as_small_as_possible() -> None:
    backbone = _build("vgg11")
    assert cut(backbone, backbone.depth(1), pool="avg").prefix(_images()).shape == (3, 64, 32, 32)
    xception = _build("legacy_xception", 96)
    assert cut(xception, xception.depth(2), pool="avg").prefix(_images(96)).ndim == 4


def test_several_tensors_cross_as_one_row_per_image() -> None:
    backbone = _build("hrnet_w18_small")
    parts = cut(backbone, backbone.depth(2), pool="avg")
    assert parts.exact
    crossing = parts.prefix(_images())
    assert crossing.ndim == 2
    backbone.eval()
    with torch.no_grad():
        whole = backbone(_images())
        mixed = torch.stack([crossing[2], crossing[0], crossing[1]])
        assert torch.allclose(parts.suffix(mixed), whole[[2, 0, 1]], atol=1e-5)


def test_an_output_can_be_used_again_and_again() -> None:
    for name in ("densenet121", "test_nfnet", "resnetv2_18"):
        backbone = _build(name)
        parts = cut(backbone, backbone.depth(2), pool="avg")
        backbone.train()
        crossing = parts.prefix(_images())
        original = crossing.clone()
        parts.suffix(crossing)
        assert torch.equal(crossing, original), name


def test_train_mode_draws_dropout_in_the_suffix_only() -> None:
    backbone = _build("test_vit")
    for module in backbone.model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.5
    parts = cut(backbone, backbone.depth(2), pool="avg")
    backbone.train()
    crossing = parts.prefix(_images())
    assert torch.equal(crossing, parts.prefix(_images()))
    torch.manual_seed(0)
    first = parts.suffix(crossing)
    assert not torch.equal(first, parts.suffix(crossing))
    torch.manual_seed(0)
    assert torch.equal(first, parts.suffix(crossing))


class _DropsOut(nn.Module):
    """A model whose outermost code depends on its mode."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(3, 4, 3, padding=1)
        self.two = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.one(x)
        x = nn.functional.dropout(x, 0.5, self.training)
        x = self.two(x)
        if self.training:
            x = x * 2
        return x.mean((2, 3))


def _backbone_of(model: nn.Module) -> Backbone:
    from frostline.backbones.execution_order import record_timeline
    from frostline.backbones.spec import InputSpec, WeightsInfo
    from frostline.backbones.stage_scale import divide_into_stages

    spec = InputSpec(32, (0.5,) * 3, (0.5,) * 3, "bicubic", 1.0, "center", False)
    model.feature_info = [{"module": "one", "reduction": 1}, {"module": "two", "reduction": 2}]
    timeline = record_timeline(model, spec.shape)
    stages = divide_into_stages(model, timeline, "own")
    return Backbone("own", model, spec, timeline, stages, WeightsInfo("random", "random", ""))


def test_outermost_code_that_depends_on_the_mode_does_so_in_the_suffix() -> None:
    backbone = _backbone_of(_DropsOut())
    parts = cut(backbone, backbone.depth(1), pool="avg")
    assert parts.exact, parts.reason
    images = _images(32)
    for mode in (True, False):
        backbone.train(mode)
        torch.manual_seed(3)
        whole = backbone(images)
        torch.manual_seed(3)
        assert torch.equal(parts.suffix(parts.prefix(images)), whole)


class _InPlace(_DropsOut):
    """Changes a value in place."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.one(x)
        y = self.two(x)
        y.add_(1.0)
        return y.mean((2, 3))


class _ByBatch(_DropsOut):
    """Its results depend on the number of images."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.one(x)
        x = self.two(x) * float(len(x))
        return x.mean((2, 3))


class _Constant(_DropsOut):
    """Returns the same for every image, so that equality would show nothing."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (self.two(self.one(x)) * 0.0).mean((2, 3))


@pytest.mark.parametrize("model", [_InPlace, _ByBatch, _Constant])
def test_a_cut_that_is_not_exact_is_refused_and_freezing_works(model: type[nn.Module]) -> None:
    backbone = _backbone_of(model())
    parts = cut(backbone, backbone.depth(1), pool="avg")
    assert not parts.exact
    assert not parts.reusable
    assert parts.reason
    assert isinstance(parts.prefix, nn.Identity)
    assert isinstance(parts.suffix, WholeModel)
    images = _images(32)
    assert torch.equal(parts.suffix(parts.prefix(images)), backbone(images))
    assert not backbone.model.one.weight.requires_grad
    assert backbone.model.two.weight.requires_grad
    assert parts.depth.frozen_stages == 1


@pytest.mark.parametrize("name", ["resnet10t", "test_vit", "test_convnext"])
@pytest.mark.parametrize("pool", ["max", "flatten"])
def test_other_poolings(name: str, pool: str) -> None:
    backbone = _build(name)
    names = list(backbone.model.state_dict())
    own = backbone.eval()(_images())
    parts = cut(backbone, backbone.depth(2), pool=pool)
    assert parts.exact, parts.reason
    features = parts.suffix(parts.prefix(_images()))
    assert features.shape == (3, parts.num_features)
    assert features.shape[1] > own.shape[1] if pool == "flatten" else features.shape == own.shape
    assert list(backbone.model.state_dict()) == names
    again = cut(backbone, backbone.depth(2), pool="avg")
    assert torch.equal(again.suffix(again.prefix(_images())), own)


def test_max_pooling_is_the_maximum_over_the_map() -> None:
    backbone = _build("resnet10t")
    parts = cut(backbone, backbone.depth("all"), pool="max")
    backbone.eval()
    with torch.no_grad():
        expected = backbone.model.forward_features(_images()).amax((2, 3))
        assert torch.equal(parts.prefix(_images()), expected)


# CrossViT returns two maps; PiT its class tokens alone, whose maximum is no maximum over a map.
@pytest.mark.parametrize(("name", "size"), [("crossvit_tiny_240", None), ("pit_ti_224", 64)])
@pytest.mark.parametrize("pool", ["max", "flatten"])
def test_a_model_without_one_map_refuses_other_poolings(
    name: str, size: int | None, pool: str
) -> None:
    backbone = _build(name, size)
    with pytest.raises(BackboneError, match="does not return one unpooled map"):
        cut(backbone, backbone.depth(1), pool=pool)


def test_the_class_token_is_no_part_of_the_maximum() -> None:
    backbone = _build("test_vit")
    parts = cut(backbone, backbone.depth("all"), pool="max")
    backbone.eval()
    with torch.no_grad():
        tokens = backbone.model.forward_features(_images())
        assert torch.equal(parts.prefix(_images()), tokens[:, 1:].amax(1))


def test_the_parts_survive_copies_and_pickles() -> None:
    backbone = _build("test_vit")
    parts = cut(backbone, backbone.depth(3), pool="avg")
    backbone.eval()
    whole = backbone(_images())
    for twin in (copy.deepcopy(parts), pickle.loads(pickle.dumps(parts))):
        assert isinstance(twin.suffix, ModelPart)
        assert torch.equal(twin.suffix(twin.prefix(_images())), whole)


def test_weights_load_into_plain_timm_and_back() -> None:
    import timm

    backbone = _build("resnet10t")
    cut(backbone, backbone.depth(2), pool="avg")
    plain = timm.create_model("resnet10t", num_classes=7)
    result = plain.load_state_dict(backbone.model.state_dict(), strict=False)
    assert result.unexpected_keys == []
    assert result.missing_keys == ["fc.weight", "fc.bias"]
    back = backbone.model.load_state_dict(plain.state_dict(), strict=False)
    assert back.missing_keys == []


def test_same_seed_same_weights_and_the_global_state_is_left_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = _build("resnet10t")
    assert torch.equal(torch.rand(3), expected)
    assert first.weights.digest == _build("resnet10t").weights.digest
    other = build_backbone("resnet10t", weights="random", image_size=64, seed=1)
    assert other.weights.digest != first.weights.digest
