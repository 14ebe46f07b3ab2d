"""What strangers type, and what the answer leads to."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hydra.errors import HydraException

from frostline.backbones.names import list_backbones
from frostline.backbones.similar_names import similar_names
from frostline.config.command_line import checked_words
from frostline.config.hydra_errors import explain_hydra_error
from frostline.config.likely_key import known_keys, likely_keys
from frostline.config.likely_option import likely_option
from frostline.data.source_words import with_source
from frostline.errors import ConfigError
from frostline.sweeps.job_runs import experiment_of
from tests.config.test_read_settings import settings

CONF = Path(__file__).resolve().parents[2] / "conf"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("learning_rate", "lr"),
        ("optimizer.lr", "lr"),
        ("epoch", "epochs"),
        ("trainer.max_epochs", "epochs"),
        ("batchsize", "batch_size"),
        ("batch-size", "batch_size"),
        ("img_size", "image_size"),
        ("model", "backbone"),
        ("pretrained", "weights"),
        ("freeze_layers", "freeze"),
        ("path", "data.path"),
        ("data_dir", "data.path"),
        ("class_weights", "loss.class_weights"),
        ("weight_decay", "optimizer.weight_decay"),
        ("optimizer.wd", "optimizer.weight_decay"),
        ("scheduler", "lr_schedule"),
        ("dropout", "head.dropout"),
        ("patience", "callbacks.patience_epochs"),
        ("device", "trainer.accelerator"),
        ("num_workers", "trainer.workers"),
        ("dryrun", "dry_run"),
        ("bakcbone", "backbone"),
        ("callbacks.monitr", "callbacks.monitor"),
        ("no_such_thing_at_all", None),
    ],
)
def test_a_key_under_another_name(typed: str, meant: str | None) -> None:
    assert next(iter(likely_keys(typed)), None) == meant


def test_every_key_that_is_meant_exists() -> None:
    from frostline.config.likely_key import _OTHER_NAMES

    missing = {key for key in _OTHER_NAMES if key not in known_keys()}
    assert missing == {"hydra/launcher", "hydra.run.dir"}


@pytest.mark.parametrize(
    ("group", "typed", "meant"),
    [
        ("hydra/launcher", "slurm", "submitit_slurm"),
        ("hydra/launcher", "local", "submitit_local"),
        ("trainer", "gpu", "auto"),
        ("data", "imagefolder", "folder"),
        ("data", "zip", "archive"),
        ("augment", "RandAugment", "randaugment"),
        ("lr_schedule", "cosine_annealing", "cosine"),
        ("loss", "crossentropy", "cross_entropy"),
        ("optimizer", "adamm", "adam"),
        ("optimizer", "lion", None),
    ],
)
def test_an_option_under_another_name(group: str, typed: str, meant: str | None) -> None:
    options = [file.stem for file in (CONF / group).glob("*.yaml")]
    assert likely_option(group, typed, options) == meant


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("vit", "vit_small_patch16_224"),
        ("resnet-50", "resnet50"),
        ("ResNet50", "resnet50"),
        ("resnet5O", "resnet50"),
        ("resnet", "resnet50"),
        ("vit_b_16", "vit_base_patch16_224"),
        ("vit_l_32", "vit_large_patch32_224"),
        ("dinov2_vits14", "vit_small_patch14_dinov2"),
        ("dinov2_vitb14_reg", "vit_base_patch14_reg4_dinov2"),
        ("efficientnet-b0", "efficientnet_b0"),
        ("efficientnet_lite", "tf_efficientnet_lite0"),
        ("MobileNetV2", "mobilenetv2_100"),
        ("xception", "legacy_xception"),
        ("qqqq", None),
    ],
)
def test_a_backbone_under_another_name(typed: str, first: str | None) -> None:
    names = list_backbones()
    found = similar_names(typed, names, 5)
    assert next(iter(found), None) == first
    assert set(found) <= set(names)
    assert not any("5b" in name or "7b" in name for name in found)


def test_every_usual_backbone_exists() -> None:
    from frostline.backbones.similar_names import _USUAL

    assert set(_USUAL) <= set(list_backbones())


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["--backbone", "resnet50"], ["--backbone resnet50", "write backbone=resnet50"]),
        (["--lr=0.1"], ["write lr=0.1"]),
        (["--batch-size", "8"], ["write batch_size=8"]),
        (["--dry-run"], ["write dry_run=true"]),
        (["-lr", "0.1"], ["write lr=0.1"]),
        (["--sweep"], ["-m for a sweep"]),
        (["resnet50"], ["there is no `=`", "backbone=resnet50"]),
        (["sgd"], ["write optimizer=sgd"]),
        (["lr"], ["lr: a value is missing"]),
        (["lr", "=", "0.1"], ["a space around `=`"]),
        (["lr=", "0.1"], ["a space around `=`"]),
        (["lr:0.1"], ["write lr=0.1"]),
        (["backbone=resnet50,", "vgg16"], ["write backbone=resnet50,vgg16"]),
        (["data.path=my", "photos.d"], ["a space in the path", "my photos.d"]),
        (["lr=0,001"], ["one number, or 2 values?", "lr=0.001"]),
        (["optimizer.weight_decay=0,05"], ["weight_decay=0.05;", "weight_decay=0,5"]),
        (["data.fraction=0,5"], ["data.fraction=0.5"]),
        (["data.n_images=1,000"], ["data.n_images=1000"]),
    ],
)
def test_words_that_hydra_would_not_understand(words: list[str], parts: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        checked_words(words)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    "words",
    [
        ["-m", "freeze=0,2,4", "seed=0,1,2", "lr=1e-3,0.01", "loss.gamma=0,2"],
        ["--cfg", "job", "--resolve"],
        ["--info", "config"],
        ["--multi", "data.n_images=100,1000"],
        ["-m", "+experiments=brahimi", "~callbacks", "hydra.sweeper.params={a: 0,001}"],
    ],
)
def test_words_that_hydra_understands_stay(words: list[str]) -> None:
    assert checked_words(words) == words


def test_a_switch_may_follow_a_setting() -> None:
    assert checked_words(["freeze=0,2", "-m", "lr=0.1"]) == ["-m", "freeze=0,2", "lr=0.1"]


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ("seed=0..3", ["allowed is a whole number", "-m seed=0,1,2,3"]),
        ("seed=[0,1]", ["-m seed=0,1"]),
        ("freeze=0-4", ["-m freeze=0,1,2,3,4"]),
        ("freeze=[]", ["for none write freeze=0"]),
        ("freeze=[0,3]", ["from 1 on", "not 0", "-m freeze=0,3"]),
        ("freeze=[-1,3]", ["from 1 on", "not -1"]),
        ("freeze=[layer3,4]", ["such as [3,4], not layer3"]),
        ("freeze='3,4'", ["for just these stages: freeze=[3,4]"]),
        ("freeze=centre", ["did you mean freeze=middle?"]),
        ("freeze=last", ["did you mean freeze=-1?"]),
        ("freeze=none", ["did you mean freeze=0?"]),
        ("image_size=224x224", ["image_size=224"]),
        ("image_size=128px", ["write the number alone: image_size=128"]),
        ("epochs=ten", ["allowed is a whole number"]),
        ("head.dropout=50%", ["write head.dropout=0.5"]),
        ("loss.class_weights=balanced", ["allowed is a number"]),
        ("rerun=maybe", ["allowed is true or false"]),
        ("trainer.accelerator=gpu", ["did you mean trainer.accelerator=cuda?"]),
        ("trainer.precision=16", ["did you mean trainer.precision=16-mixed?"]),
        ("callbacks.monitor=accuracy", ["did you mean callbacks.monitor=val/acc_micro?"]),
        ("learning_rate=0.1", ["write lr=0.1"]),
        ("pretrained=true", ["write weights=pretrained"]),
        ("scheduler=cosine", ["write lr_schedule=cosine"]),
        ("schedule=cosine", ["did you mean lr_schedule=cosine?"]),
        ("head.hidden=64", ["write head=mlp head.hidden=64"]),
        ("data=conf", ["write data.path=conf"]),
    ],
)
def test_values_in_our_words(given: str, parts: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CONF.parent)
    with pytest.raises(ConfigError) as caught:
        settings(given)
    text = str(caught.value).replace("choose the other one:", "write")
    for part in parts:
        assert part in text
    assert "valid integer" not in text and "parse" not in text


def test_a_path_alone_says_what_reads_it(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    photos, table = f"data.path={tmp_path / 'photos'}", "data.path=labels.csv"
    assert with_source(["-m", photos]) == ["-m", "data=folder", photos]
    assert with_source([table, "lr=1"]) == ["data=csv", table, "lr=1"]
    for left in (
        ["data=archive", table],
        ["+experiments=photographs", photos],
        ["data.path=a.csv,b.zip"],
        ["lr=1"],
    ):
        assert with_source(left) == left


_HEAVY = ("torch", "timm", "mlflow", "lightning", "pytorch_lightning", "torchvision", "pandas")
_MISTAKES = [
    ["data=folder", "data.path=labels.csv"],
    ["data=csv", "data.path=photos"],
    ["data.path=photo"],
    ["weights=nowhere.pth"],
    ["--backbone", "resnet50"],
    ["seed=0..3"],
    ["learning_rate=1"],
    ["trainer=gpu"],
    ["backbone=vit"],
    ["freeze=last"],
    ["-m", "lr=0,001"],
    ["-m", "freeze=0,2", "lr=fast"],
]


def test_mistakes_are_answered_before_any_heavy_import(tmp_path: Path) -> None:
    """Each in the same process, so that the test costs one; none may have imported a library."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "labels.csv").write_text("image,label\n")
    code = f"""
import contextlib, io, json, sys
from frostline.commands import train
from hydra.core.global_hydra import GlobalHydra
answers = []
for words in {_MISTAKES!r}:
    GlobalHydra.instance().clear()
    sys.argv = ["train", *words]
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        try:
            train.main()
        except SystemExit as end:
            answers.append([end.code, said.getvalue()])
print(json.dumps([answers, [name for name in {_HEAVY!r} if name in sys.modules]]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    answers, imported = json.loads(done.stdout)
    assert imported == []
    assert [answer[0] for answer in answers] == [2] * len(_MISTAKES)
    texts = [answer[1] for answer in answers]
    assert all(text.startswith("error: ") for text in texts)
    assert "`data=folder` reads one folder per class, and this is a table" in texts[0]
    assert "`data=csv` reads tables, and this is a folder" in texts[1]
    assert "did you mean photos?" in texts[2]
    assert not (tmp_path / "outputs").exists() and not (tmp_path / "multirun").exists()


def test_an_interval_is_answered_without_hydras_classes() -> None:
    error = explain_hydra_error(
        HydraException("BasicSweeper does not support sweep type : INTERVAL_SWEEP")
    )
    assert error.given.startswith("interval(...): every value is a job of its own")
    assert "lr=1e-4,1e-3,1e-2" in error.allowed
    assert "Sweeper" not in str(error)


@pytest.mark.parametrize(
    ("typed", "variable", "expected"),
    [
        ((), None, "leaves"),
        ((), "plants", "plants"),
        ((), " ", "leaves"),
        (("tracking.experiment=typed",), "plants", "typed"),
    ],
)
def test_mlflows_variable_names_the_experiment_unless_one_is_typed(
    monkeypatch: pytest.MonkeyPatch, typed: tuple[str, ...], variable: str | None, expected: str
) -> None:
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    if variable is not None:
        monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", variable)
    assert experiment_of(settings(*typed)) == expected
