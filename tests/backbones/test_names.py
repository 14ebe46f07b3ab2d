import pickle
import subprocess
import sys

import pytest
import timm

from frostline.backbones.names import check_backbone_name, list_backbones
from frostline.errors import BackboneError


def test_the_names_are_timms_own() -> None:
    assert set(list_backbones("*")) == {*timm.list_models(), "book_cnn"}


def test_names_are_in_natural_order() -> None:
    names = list_backbones("resnet[0-9]*")
    assert names.index("resnet18") < names.index("resnet101")


def test_pattern() -> None:
    assert list_backbones("vgg1?") == ["vgg11", "vgg13", "vgg16", "vgg19"]
    assert list_backbones("no_such_*") == []


@pytest.mark.parametrize(
    "name", ["resnet50", "book_cnn", "resnet50.a1_in1k", "vit_base_patch16_224"]
)
def test_known_names_pass(name: str) -> None:
    check_backbone_name(name)


def test_a_typo_is_answered_with_the_nearest_names() -> None:
    with pytest.raises(BackboneError, match="backbone=resnet5 is not a model of timm") as e:
        check_backbone_name("resnet5")
    assert "resnet50" in e.value.allowed
    assert str(pickle.loads(pickle.dumps(e.value))) == str(e.value)


def test_an_unknown_tag_is_answered_with_the_known_ones() -> None:
    with pytest.raises(BackboneError, match="resnet18 has no weights of that tag") as e:
        check_backbone_name("resnet18.nonsense")
    assert "resnet18.a1_in1k" in e.value.allowed


@pytest.mark.parametrize("name", ["hf-hub:timm/resnet50", "models/resnet50", "C:\\resnet50"])
def test_a_path_is_refused(name: str) -> None:
    with pytest.raises(BackboneError, match="is a path or an address, not a model's name"):
        check_backbone_name(name)


def test_checking_a_name_imports_neither_timm_nor_torch() -> None:
    code = (
        "import sys; from frostline.backbones.names import check_backbone_name; "
        "check_backbone_name('resnet50'); print([m for m in ('timm', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
