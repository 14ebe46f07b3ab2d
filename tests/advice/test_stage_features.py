"""One pass for all stages, and the classifier that the weights came with."""

import numpy as np
import pytest
import timm
import torch

from frostline.advice.measures.familiarity import Classifier, pretrained_classifier
from frostline.advice.measures.stage_features import stage_features
from frostline.backbones.build import build_backbone
from frostline.backbones.packaged_weights import find_packaged, rename_packaged
from frostline.backbones.split.cut import cut
from frostline.backbones.tensor_files import read_tensors

LITE = "tf_efficientnet_lite0"
needs_lite = pytest.mark.skipif(find_packaged(LITE) is None, reason="packaged weights are missing")


def random_images(n, height, width):
    return np.random.default_rng(0).integers(0, 256, (n, height, width, 3), dtype=np.uint8)


def normalised(images, spec):
    values = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    mean, std = torch.tensor(spec.mean), torch.tensor(spec.std)
    return (values - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1)


# A CNN, one whose map has its channels last, and tokens with a class token.
@pytest.mark.parametrize("name", ["test_resnet", "swin_tiny_patch4_window7_224", "test_vit"])
def test_features_are_the_means_of_what_the_frozen_prefixes_give(name):
    check_means(name, 224 if name.startswith("swin") else None)


@pytest.mark.parametrize("name", ["test_resnet", "swin_tiny_patch4_window7_224", "test_vit"])
def test_features_of_rectangles_too(name):
    check_means(name, (64, 96))


def check_means(name, size):
    backbone = build_backbone(name, weights="random", image_size=size, seed=0)
    images = random_images(3, *backbone.input.shape[1:])
    result = stage_features(backbone, lambda rows: images[rows], np.arange(3))
    assert len(result.stages) == len(backbone.stages)
    assert result.pixels.shape == (3, 192)
    assert result.pixels == pytest.approx(
        torch.nn.functional.adaptive_avg_pool2d(
            torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255, 8
        )
        .flatten(1)
        .numpy(),
        abs=1e-6,
    )
    ready = normalised(images, backbone.input)
    compared = 0
    with torch.inference_mode():
        whole = backbone.model.eval()(ready)
        assert result.stages[-1] == pytest.approx(whole.numpy(), abs=1e-4)
        for number in range(1, len(backbone.stages)):
            parts = cut(backbone, backbone.depth(number), pool="avg")
            assert parts.exact, parts.reason
            output = parts.prefix.eval()(ready)
            output = output[0] if isinstance(output, tuple | list) else output
            if tuple(output.shape[1:]) != backbone.stages[number - 1].out_shape:
                continue  # the cut stands behind a pooling that has no parameters
            compared += 1
            if output.ndim == 3:
                expected = output[:, backbone.model.num_prefix_tokens :].mean(dim=1)
            else:
                last = name.startswith("swin")
                expected = output.mean(dim=(1, 2) if last else (2, 3))
            assert result.stages[number - 1] == pytest.approx(expected.numpy(), abs=1e-4), number
    assert compared >= 3


def test_the_training_mode_and_the_weights_stay_as_they_were():
    backbone = build_backbone("test_resnet", weights="random", image_size=64, seed=0)
    backbone.model.train()
    before = {name: value.clone() for name, value in backbone.model.state_dict().items()}
    images = random_images(2, 64, 64)
    stage_features(backbone, lambda rows: images[rows], np.arange(2))
    assert backbone.model.training
    assert all(torch.equal(before[k], v) for k, v in backbone.model.state_dict().items())


@needs_lite
def test_the_classifier_gives_the_logits_of_the_whole_model():
    backbone = build_backbone(LITE, weights="pretrained", image_size=64, seed=0)
    images = random_images(2, 64, 64)
    features = stage_features(backbone, lambda rows: images[rows], np.arange(2)).stages[-1]
    result = pretrained_classifier(backbone, "pretrained", features.shape[1])
    assert isinstance(result, Classifier)
    whole = timm.create_model(LITE, pretrained=False).eval()
    tensors = read_tensors(find_packaged(LITE).file)
    whole.load_state_dict(rename_packaged(LITE, tensors, timm.create_model(LITE, num_classes=0)))
    with torch.inference_mode():
        expected = whole(normalised(images, backbone.input)).numpy()
    assert features @ result.weights.T + result.bias == pytest.approx(expected, abs=1e-3)


def test_random_weights_know_no_classes():
    backbone = build_backbone("test_resnet", weights="random", image_size=64, seed=0)
    assert pretrained_classifier(backbone, "random", 32) == "random weights know no classes"


def test_a_file_without_a_classifier_and_one_that_does_not_fit(tmp_path):
    backbone = build_backbone("test_resnet", weights="random", image_size=64, seed=0)
    width = backbone.model.num_features
    state = dict(backbone.model.state_dict())
    torch.save(state, tmp_path / "bare.pth")
    bare = pretrained_classifier(backbone, str(tmp_path / "bare.pth"), width)
    assert bare == "the weights of test_resnet (bare.pth) come without a classifier"
    torch.save(state | {"fc.weight": torch.ones(5, width + 1)}, tmp_path / "other.pth")
    assert "takes other features" in pretrained_classifier(
        backbone, str(tmp_path / "other.pth"), width
    )
    torch.save(state | {"fc.weight": torch.ones(5, width)}, tmp_path / "good.pth")
    good = pretrained_classifier(backbone, str(tmp_path / "good.pth"), width)
    assert good.weights.shape == (5, width)
    assert good.bias.tolist() == [0.0] * 5
