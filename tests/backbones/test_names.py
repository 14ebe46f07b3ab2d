import pickle
import subprocess
import sys

import pytest
import timm
from hydra import compose, initialize_config_dir

from frostline.backbones.names import check_backbone_name, list_backbones
from frostline.config.conf_files import CONF
from frostline.config.default_tags import default_tag
from frostline.config.identity import config_digest
from frostline.config.read import settings_of
from frostline.config.renamed_backbones import present_name, rename_note, renamed_backbones
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


def test_the_table_of_renamed_models_is_timms() -> None:
    import timm  # noqa: F401
    from timm.models._registry import get_deprecated_models

    table = renamed_backbones()
    assert {old: new or None for old, new in table.items()} == get_deprecated_models()
    assert all(not new or present_name(old) == present_name(new) for old, new in table.items())


@pytest.mark.parametrize(
    ("typed", "used"),
    [
        ("tf_efficientnet_b0_ns", "tf_efficientnet_b0"),
        ("tf_efficientnet_b0.ns_jft_in1k", "tf_efficientnet_b0"),
        ("resnet50.a1_in1k", "resnet50"),
        ("resnet50.a2_in1k", "resnet50.a2_in1k"),
        ("vit_small_patch14_dinov2.lvd142m", "vit_small_patch14_dinov2"),
        ("gluon_resnet50_v1b", "resnet50.gluon_in1k"),
        ("vit_base_patch16_224_in21k", "vit_base_patch16_224.augreg_in21k"),
        ("resnet18.", "resnet18"),
        ("tv_densenet121.", "densenet121.tv_in1k"),
    ],
)
def test_a_renamed_model_and_an_empty_tag_are_one_job_with_the_present_name(
    typed: str, used: str
) -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        old, new = (
            settings_of(compose("train", overrides=[f"backbone={name}"])) for name in (typed, used)
        )
    check_backbone_name(old.backbone)
    assert old.backbone == used
    assert config_digest(old) == config_digest(new)
    if typed != used:
        assert rename_note(typed, used).startswith(f"backbone={typed} is taken as {used}: ")
    assert rename_note(used, used) == ""


def test_a_renamed_model_with_a_tag_is_answered_with_the_present_name() -> None:
    with pytest.raises(BackboneError, match="timm has renamed gluon_resnet50_v1b") as e:
        check_backbone_name("gluon_resnet50_v1b.in1k")
    assert "backbone=resnet50.gluon_in1k" in str(e.value)


def test_the_weights_of_a_bare_name_are_those_that_timm_takes() -> None:
    """A wrong one would make two sets of weights one cell."""
    import timm

    names = (
        "resnet18", "resnetv2_50", "convnext_tiny", "vit_base_patch16_224", "efficientnet_b0",
        "tf_efficientnetv2_s", "swin_tiny_patch4_window7_224", "mobilenetv3_large_100", "vgg16",
        "densenet121", "beit_base_patch16_224", "regnety_032", "eva02_tiny_patch14_224",
    )  # fmt: skip
    named = {name: default_tag(name) for name in names}
    wrong = {
        name: tag for name, tag in named.items() if tag and timm.get_pretrained_cfg(name).tag != tag
    }
    assert wrong == {}
    assert sum(map(bool, named.values())) >= 12
    assert rename_note("resnet50.a1_in1k", "resnet50") == (
        "backbone=resnet50.a1_in1k is taken as resnet50: its tag is the one that timm takes "
        "without any"
    )
