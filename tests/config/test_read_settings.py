"""The schema's messages: what was given, what is allowed, what to do. No model is needed here."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException

from frostline.config.conf_files import GROUPS_WITHOUT_DEFAULT, default_choices
from frostline.config.hydra_errors import explain_hydra_error
from frostline.config.likely_key import known_keys
from frostline.config.read import settings_of
from frostline.config.recorded_config import recorded_settings
from frostline.config.schema import Settings
from frostline.errors import ConfigError

CONF = Path(__file__).resolve().parents[2] / "conf"


def settings(*overrides: str) -> Settings:
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            return settings_of(compose("train", overrides=list(overrides)))
    except HydraException as error:
        raise explain_hydra_error(error) from None


def test_defaults_are_the_documented_ones() -> None:
    s = settings()
    assert (s.backbone, s.weights, s.freeze) == ("tf_efficientnet_lite0", "pretrained", 0)
    assert (s.data.source, s.augment.name, s.head.name) == ("leaves", "flip", "linear")
    assert (s.optimizer.name, s.lr_schedule.name, s.schedule.name) == (
        "adamw",
        "cosine",
        "constant",
    )
    assert s.image_size is None
    assert s.run_name == "tf_efficientnet_lite0-freeze0-seed0"


@pytest.mark.parametrize(
    ("given", "value"), [("2", 2), ("all", "all"), ("layer3.2", "layer3.2"), ("0", 0)]
)
def test_freeze_keeps_the_type_that_was_typed(given: str, value: int | str) -> None:
    assert settings(f"freeze={given}").freeze == value


@pytest.mark.parametrize(
    ("overrides", "parts"),
    [
        (["epochs=abc"], ["epochs=abc", "a whole number"]),
        (["epochs=0"], ["epochs=0", "1 or more"]),
        (["lr=inf"], ["lr=inf", "a finite number above 0"]),
        (["optimizer.weight_decay=nan"], ["optimizer.weight_decay=nan", "finite number"]),
        (["freeze=1.5"], ["freeze=1.5", "0 .. number of stages", "all", "module path"]),
        (["freeze=true"], ["freeze=true", "module path"]),
        (["epoch=3"], ["epoch: there is no such key", "epochs"]),
        (["+lrr=1"], ["lrr: there is no such key", "nearest: lr"]),
        (["data=foldr"], ["data=foldr", "did you mean folder?", "leaves"]),
        (["optimizer=adamm"], ["optimizer=adamm", "adam, adamw, sgd"]),
        (["data=folder"], ["data.path=???", "a value is missing", "data.path=VALUE"]),
        (["data=folder", "data.path=no/such"], ["data.path=no/such", "no such file or folder"]),
        (["head.hidden=3"], ["head.hidden", "another one has", "head=mlp"]),
        (["head=mlp", "head.pool=median"], ["head.pool=median", "'avg', 'max' or 'flatten'"]),
        (["weights=pretraned"], ["weights=pretraned", "did you mean pretrained?"]),
        (["weights=missing.pth"], ["weights=missing.pth", "no such file"]),
        (["weights=https://x.y/z.pth"], ["not fetched from addresses"]),
        (["data.fraction=0"], ["data.fraction=0", "a number above 0"]),
        (["backbone=a,b"], ["several values", "-m"]),
        (["freeze=[1,2"], ["cannot be read", "key=value"]),
        (["+lr=3"], ["the key exists already", "write lr=VALUE"]),
    ],
)
def test_a_mistake_is_told_with_what_is_allowed(overrides: list[str], parts: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(*overrides)
    for part in parts:
        assert part in str(caught.value)


def test_all_mistakes_stand_in_one_message() -> None:
    with pytest.raises(ConfigError, match=r"(?s)lr=fast.*seed=-3"):
        settings("lr=fast", "seed=-3")


def test_a_path_is_relative_to_where_the_person_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path)
    assert settings("data=folder", "data.path=photos").data.path == "photos"


def test_every_option_of_every_group_composes() -> None:
    groups = [folder for folder in CONF.iterdir() if folder.is_dir() and folder.name != "hydra"]
    tried = 0
    for group in groups:
        if group.name == "experiments":
            continue
        for option in group.glob("*.yaml"):
            has_path = group.name == "data" and option.stem != "leaves"
            extra = ["data.path=."] if has_path else []
            s = settings(f"{group.name}={option.stem}", *extra)
            assert group.name in GROUPS_WITHOUT_DEFAULT or getattr(s, group.name) is not None
            tried += 1
    assert tried >= 15


def test_known_keys_are_the_keys_of_the_schema() -> None:
    assert {"lr", "data.path", "head.hidden", "optimizer.momentum"} <= set(known_keys())


@pytest.mark.parametrize(
    ("words", "mode"),
    [
        ([], "max"),
        (["callbacks.monitor=val/loss"], "min"),
        (["callbacks.monitor=val/acc_micro"], "max"),
        (["callbacks=keras"], "min"),
        (["callbacks=keras", "callbacks.monitor=val/f1_macro"], "max"),
        (["callbacks.monitor=val/loss", "callbacks.mode=min"], "min"),
    ],
)
def test_the_best_epoch_is_the_best_in_the_metrics_own_direction(
    words: list[str], mode: str
) -> None:
    assert settings(*words).callbacks.mode == mode


@pytest.mark.parametrize(
    ("monitor", "mode", "better"),
    [("val/loss", "max", "min"), ("val/acc_macro", "min", "max")],
)
def test_a_direction_against_the_metric_is_refused(monitor: str, mode: str, better: str) -> None:
    with pytest.raises(ConfigError, match=f"callbacks.mode={mode}.*{monitor}") as caught:
        settings(f"callbacks.monitor={monitor}", f"callbacks.mode={mode}")
    assert f"callbacks.mode={better}" in caught.value.allowed


def test_a_run_recorded_with_such_a_direction_can_still_be_read() -> None:
    values = settings().model_dump(mode="json")
    values["callbacks"] |= {"monitor": "val/loss", "mode": "max"}
    assert recorded_settings(values).callbacks.mode == "max"


@pytest.mark.parametrize("group", sorted([*default_choices(), *GROUPS_WITHOUT_DEFAULT]))
def test_two_options_for_one_group_are_refused(group: str) -> None:
    two = sorted(file.stem for file in (CONF / group).glob("*.yaml"))[:2]
    words = [f"{group}=[{','.join(two)}]"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", overrides=words, return_hydra_config=True)
        with pytest.raises(ConfigError, match="several options for one group") as caught:
            settings_of(config)
    assert caught.value.todo.endswith(f"-m {group}={','.join(two)}")


def test_one_option_of_each_group_is_none_too_many() -> None:
    words = [f"{group}={choice}" for group, choice in default_choices().items()]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        assert settings_of(compose("train", overrides=words, return_hydra_config=True))


def test_debug_has_its_own_experiment_and_gives_way_to_what_is_typed() -> None:
    fast, heart = settings("debug=fast"), settings("debug=overfit", "epochs=50", "augment=crop")
    assert (fast.epochs, fast.data.fraction, fast.tracking.experiment) == (1, 0.1, "debug")
    assert (heart.epochs, heart.augment.name, heart.lr_schedule.name) == (50, "crop", "constant")
    assert settings().tracking.experiment is None
    rehearsal = settings("debug=fdr", "epochs=2")
    assert (rehearsal.trainer.limit_batches, rehearsal.epochs) == (1, 2)
    assert (rehearsal.reuse, rehearsal.tune.name) == ("off", "none")
    assert settings().trainer.limit_batches is None


def test_a_fold_without_folds_would_change_nothing() -> None:
    """Five of them would be one training repeated, with a spread of zero."""
    with pytest.raises(ConfigError, match=r"data\.fold=2: .*data\.folds") as caught:
        settings("data.fold=2")
    assert "data.folds=5 data.fold=2" in str(caught.value)
    assert settings("data.folds=3", "data.fold=2").data.fold == 2
    with pytest.raises(ConfigError, match=r"data\.fold=3 with data\.folds=3") as caught:
        settings("data.folds=3", "data.fold=3")
    assert "0 to 2" in str(caught.value)
    with pytest.raises(ConfigError, match=r"data\.folds=3 with data\.split_file=s\.csv"):
        settings("data.folds=3", "data.split_file=s.csv")
    # Runs that were recorded so are still used.
    assert recorded_settings({"data": {"source": "leaves", "fold": 2}}).data.fold == 2
