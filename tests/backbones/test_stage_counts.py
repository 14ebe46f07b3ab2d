"""The numbers of stages that the package has hold for the version of timm that they name."""

import json
from importlib.metadata import version

import pytest

from frostline.backbones.build import outline
from frostline.backbones.stage_counts import FILE, counted_stages
from tests.contracts.architectures import ARCHITECTURES


@pytest.fixture(autouse=True)
def same_timm():
    named = json.loads(FILE.read_text())["timm"]
    assert named == version("timm"), "python -m benchmarks.stage_counts"


@pytest.mark.parametrize(
    "name", ["resnet50", "vgg16", "levit_128", "dla34", "vit_tiny_patch16_224"]
)
def test_they_are_those_that_are_counted(name):
    assert counted_stages(name) == len(outline(name, None).stages)


def test_with_the_tag_of_weights_and_without_any_number():
    assert counted_stages("levit_128.fb_dist_in1k") == counted_stages("levit_128") == 3
    assert counted_stages("book_cnn") is None
    assert counted_stages("no_such_net") is None


@pytest.mark.slow
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_they_hold_for_each_architecture(name):
    assert counted_stages(name) in {len(outline(name, None).stages), None}


def test_another_version_of_timm_is_counted_anew(monkeypatch):
    monkeypatch.setattr("frostline.backbones.stage_counts.version", lambda _: "99.0")
    assert counted_stages("resnet50") is None
