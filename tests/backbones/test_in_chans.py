"""Backbones for images of other channels than red, green and blue."""

import pytest
import torch

from frostline.backbones.build import build_backbone, input_spec, outline
from frostline.backbones.split.cut import cut
from frostline.errors import BackboneError

LITE = "tf_efficientnet_lite0"


def built(in_chans, name=LITE, weights="pretrained"):
    backbone = build_backbone(name, weights=weights, image_size=64, seed=0, in_chans=in_chans)
    return backbone.eval()


def normalised(backbone, values):
    mean, std = (
        torch.tensor(v).view(1, -1, 1, 1) for v in (backbone.input.mean, backbone.input.std)
    )
    return (values - mean) / std


def test_colours_are_what_they_were():
    default = build_backbone(LITE, weights="pretrained", image_size=64, seed=0)
    assert default.input.in_chans == 3
    assert default.weights.digest == built(3).weights.digest
    assert default.weights.adapted == ""


def test_a_grey_image_gives_the_features_that_it_had_as_colour():
    """Weights summed over the colours, and the mean and deviation of a network with one for all."""
    grey, colour = built(1), built(3)
    assert "adapted to 1 as timm does (summed)" in grey.weights.adapted
    values = torch.rand(2, 1, 64, 64)
    with torch.no_grad():
        alone = grey(normalised(grey, values))
        thrice = colour(normalised(colour, values.expand(-1, 3, -1, -1)))
    assert torch.allclose(alone, thrice, rtol=1e-4, atol=1e-5)


def test_further_channels_repeat_the_colours():
    five, colour = built(5), built(3)
    own, theirs = five.model.conv_stem.weight, colour.model.conv_stem.weight
    assert torch.allclose(own, theirs[:, [0, 1, 2, 0, 1]] * (3 / 5))
    assert "adapted to 5 as timm does (repeated and scaled)" in five.weights.adapted


def test_each_channel_is_normalised_as_the_one_whose_weights_it_has():
    rgb = input_spec("resnet18", None)
    assert rgb.mean == (0.485, 0.456, 0.406)
    assert input_spec("resnet18", None, 5).mean == (0.485, 0.456, 0.406, 0.485, 0.456)
    assert input_spec("resnet18", None, 2).std == rgb.std[:2]
    assert input_spec("resnet18", None, 1).mean == (pytest.approx(0.449),)


@pytest.mark.parametrize("in_chans", [1, 2, 4, 5])
@pytest.mark.parametrize(
    "name", ["test_resnet", "test_vit", "test_convnext", "test_efficientnet", "book_cnn"]
)
def test_backbones_are_cut_exactly_for_any_channels(name, in_chans):
    backbone = built(in_chans, name, "random")
    parts = cut(backbone, backbone.depth(1), pool="avg")
    assert parts.exact, parts.reason
    images = torch.randn(2, in_chans, 64, 64)
    with torch.no_grad():
        assert torch.equal(parts.suffix(parts.prefix(images)), backbone(images))


def test_the_first_stage_has_the_parameters_of_its_channels():
    rgb, grey = outline("resnet18", 64), outline("resnet18", 64, 1)
    assert rgb.stages[0].params - grey.stages[0].params == 2 * 64 * 7 * 7
    assert [s.params for s in rgb.stages[1:]] == [s.params for s in grey.stages[1:]]


def test_a_model_without_timms_argument_is_named(monkeypatch):
    import timm

    create = timm.create_model

    def without(name, **options):
        if "in_chans" in options:
            raise TypeError("unexpected keyword argument 'in_chans'")
        return create(name, **options)

    monkeypatch.setattr(timm, "create_model", without)
    with pytest.raises(BackboneError, match="in_chans=7: backbone=test_resnet cannot be built"):
        outline("test_resnet", 64, 7)
    outline.cache_clear()
