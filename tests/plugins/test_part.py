"""Own parts: read from yaml, built, tried; each failure names the file."""

import sys
from pathlib import Path

import pytest
import torch

from frostline.backbones.names import check_backbone_name, list_backbones
from frostline.config.own_part import OwnAugment, OwnHead, OwnLoss, OwnOptimizer
from frostline.data.augmentations import own_recipe
from frostline.errors import BackboneError, ConfigError, FrostlineError
from frostline.plugins import folders
from frostline.plugins.own_backbones import backbone_code, with_code
from frostline.plugins.part import PluginChangedError, PluginError, build_part, own_line
from frostline.sweeps.own_launcher import own_launcher
from frostline.training.head import build_own_head
from frostline.training.loss import build_own_loss
from frostline.training.optim import build_own_optimizer


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(folders.VARIABLE, raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    (tmp_path / "conf").mkdir()
    yield tmp_path / "conf"
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def test_keys_of_ours_stay_ours_and_all_others_go_to_the_class(conf):
    (conf / "own_a.py").write_text("def f(**given): return given")
    head = OwnHead.model_validate({"_target_": "own_a.f", "name": "x", "pool": "max", "scale": 2})
    assert (head.name, head.pool, head.options) == ("x", "max", {"scale": 2})
    assert build_part(head, num_classes=3) == {"scale": 2, "num_classes": 3}
    # What a run's config.yaml holds is read back as the same.
    assert OwnHead.model_validate(head.model_dump(mode="json")) == head


def test_partial_and_nested_targets_are_built_as_hydra_builds_them(conf):
    (conf / "own_b.py").write_text("def g(*args, **given): return args, given")
    part = OwnAugment.model_validate(
        {
            "_target_": "own_b.g",
            "_partial_": True,
            "inner": [{"_target_": "fractions.Fraction", "numerator": 1, "denominator": 2}],
        }
    )
    assert build_part(part)("image") == (("image",), {"inner": [0.5]})


def test_the_code_of_nested_targets_counts_and_a_change_is_refused(conf):
    (conf / "outer.py").write_text("def g(**given): return given")
    (conf / "inside.py").write_text("def h(): return 1")
    given = {"_target_": "outer.g", "inner": {"_target_": "inside.h"}}
    part = OwnAugment.model_validate(given)
    (conf / "inside.py").write_text("def h(): return 2")
    assert OwnAugment.model_validate(given).code != part.code
    with pytest.raises(PluginChangedError, match="has changed since the run was made"):
        build_part(part)


BROKEN = {
    "raises_at_import": ("import torch\nboom = 1 / 0\ndef f(): ...", "{file}:2"),
    "is_no_python": ("def f(:\n", "{file}:1"),
    "lacks_it": ("def other(): ...", "{file} has no f"),
    "raises_when_made": ("def f(**given):\n    raise KeyError('size')", "{file}:2"),
    "takes_no_such_key": ("def f(): ...", "{file}: takes_no_such_key.f cannot be made"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_cannot_be_made_is_one_error_that_names_the_file(conf, kind):
    text, expected = BROKEN[kind]
    file = conf / f"{kind}.py"
    file.write_text(text)
    part = OwnLoss.model_validate({"_target_": f"{kind}.f", "key": 1})
    with pytest.raises(PluginError) as caught:
        build_part(part)
    assert expected.format(file=file) in str(caught.value)


@pytest.mark.parametrize("taken", ["json", "timm"])
def test_a_module_with_the_name_of_an_installed_one_is_refused(conf, taken):
    (conf / f"{taken}.py").write_text("def f(): ...")
    part = OwnLoss.model_validate({"_target_": f"{taken}.f"})
    with pytest.raises(PluginError, match=f"the name {taken} is taken"):
        build_part(part)


def test_what_an_augmentation_draws_is_seeded_and_leaves_all_generators_as_they_were(conf):
    import random

    import numpy as np

    def draw(image):
        value = random.random() + np.random.rand() + torch.rand(()).item()
        return (image.float() * 0 + value * 60).to(torch.uint8)

    recipe = own_recipe(draw, "draw")
    images = torch.zeros((2, 3, 4, 4), dtype=torch.uint8)
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    first, second, other = recipe(images, 5), recipe(images, 5), recipe(images, 6)
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert not torch.equal(first[0], first[1])
    assert before == (
        random.getstate(),
        np.random.get_state()[1].tolist(),
        torch.get_rng_state().tolist(),
    )


def test_an_augmentation_that_changes_the_form_is_told_so():
    images = torch.zeros((1, 3, 4, 4), dtype=torch.uint8)
    for wrong in (lambda image: image.float(), lambda image: image[:, :2], lambda image: None):
        with pytest.raises(ConfigError, match="the form of what it was given"):
            own_recipe(wrong, "wrong")(images, 0)


USES = {
    "head": (OwnHead, lambda part: build_own_head(part, 8, 3, seed=0)),
    "loss": (OwnLoss, lambda part: build_own_loss(part, None)),
    "optimizer": (OwnOptimizer, lambda part: build_own_optimizer(part, [], 0.1)),
}


@pytest.mark.parametrize(
    ("use", "text"),
    [
        ("head", "import torch\ndef f(num_features, num_classes):\n    return torch.nn.Flatten()"),
        ("head", "def f(num_features, num_classes): return 1"),
        (
            "head",
            "import torch\ndef f(num_features, num_classes):\n    return torch.nn.Linear(1, 1)",
        ),
        ("loss", "def f():\n    return lambda logits, targets: logits"),
        ("loss", "def f():\n    return lambda logits, targets: 0.5"),
        ("loss", "def f():\n    return lambda logits: logits.sum()"),
        ("optimizer", "def f(params, lr): return 'none'"),
    ],
)
def test_a_part_that_answers_something_else_is_refused_before_training(conf, use, text):
    name = f"bad_{use}_{abs(hash(text))}"
    (conf / f"{name}.py").write_text(text)
    kind, build = USES[use]
    with pytest.raises(PluginError) as caught:
        build(kind.model_validate({"_target_": f"{name}.f"}))
    assert name in str(caught.value)


def test_an_own_head_depends_on_the_seed_alone(conf):
    (conf / "lin.py").write_text(
        "import torch\ndef f(num_features, num_classes):\n"
        "    return torch.nn.Linear(num_features, num_classes)"
    )
    part = OwnHead.model_validate({"_target_": "lin.f"})
    first = build_own_head(part, 8, 3, seed=1)[0].weight
    torch.rand(7)
    assert torch.equal(first, build_own_head(part, 8, 3, seed=1)[0].weight)
    assert not torch.equal(first, build_own_head(part, 8, 3, seed=2)[0].weight)


def test_an_error_within_own_code_is_placed_at_its_last_own_line(conf):
    file = conf / "late.py"
    file.write_text("def f():\n    return lambda image: image.no_such_thing\n")
    transform = build_part(OwnAugment.model_validate({"_target_": "late.f"}))
    with pytest.raises(AttributeError) as caught:
        transform(torch.zeros(1))
    assert own_line(caught.value) == f"{file}:2"
    assert own_line(ValueError("elsewhere")) == ""


def test_own_backbones_are_known_by_name_and_by_their_code(conf):
    (conf / "backbones").mkdir()
    (conf / "backbones" / "mynet.yaml").write_text("_target_: mynet.mynet")
    (conf / "mynet.py").write_text("x = 1")
    assert list_backbones("mynet") == ["mynet"]
    check_backbone_name("mynet")
    before = backbone_code("mynet")
    assert with_code("mynet") == f"mynet {before}"
    assert with_code("resnet18") == "resnet18"
    (conf / "mynet.py").write_text("x = 2")
    assert backbone_code("mynet") != before


def _forget(name):
    """Take a model out of timm's registry, which all tests of a process share."""
    from timm.models import _registry

    _registry._model_entrypoints.pop(name)
    _registry._module_to_models[_registry._model_to_module.pop(name)].discard(name)


@pytest.mark.parametrize(
    ("name", "yaml", "code", "expected"),
    [
        ("resnet18", "_target_: net_a.f", "", "has the name of one of timm's"),
        ("plain_a", "strength: 1", "", "has no _target_"),
        ("plain_b", "_target_: net_b.f", "def f(): ...", "net_b.py registers no model"),
        ("plain_c", "_target_: net_c.f", "import nothing_here", "net_c.py:1"),
        (
            "plain_d",
            "_target_: net_d.plain_d",
            "from timm.models import register_model\n@register_model\n"
            "def plain_d(pretrained=False, **kwargs): ...",
            r"net_d\.py\)",
        ),
    ],
)
def test_an_own_backbone_that_cannot_be_used_is_named_with_its_file(
    conf, name, yaml, code, expected
):
    from frostline.backbones.build import input_spec

    (conf / "backbones").mkdir()
    (conf / "backbones" / f"{name}.yaml").write_text(yaml)
    target = yaml.partition(": ")[2].partition(".")[0]
    (conf / f"{target}.py").write_text(code)
    with pytest.raises(FrostlineError, match=expected) as caught:
        check_backbone_name(name)
        input_spec(name, None)
    if name == "plain_d":
        _forget(name)
        assert isinstance(caught.value, BackboneError)
        assert "input_size" in str(caught.value)


def test_an_own_launcher_is_one_of_hydra(conf):
    (conf / "launch_it.py").write_text("class No: ...")
    with pytest.raises(PluginError, match=r"hydra\.plugins\.launcher\.Launcher"):
        own_launcher("launch_it.No")
