"""Jobs are composed as Hydra composes them, whatever their words; only faster."""

from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from frostline.config.read import settings_of
from frostline.sweeps.compose import Composer

CONF = Path(__file__).parents[2] / "conf"
Loaded = tuple[ConfigLoader, DictConfig]


@pytest.fixture
def loaded() -> Iterator[Loaded]:
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        master = loader.load_configuration("train", ["backbone=resnet18"], RunMode.MULTIRUN)
        yield loader, master


def plain(config: DictConfig) -> object:
    """All of it but the time in its folders' names, resolved as far as it is a run's own."""
    own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    return OmegaConf.to_container(own, resolve=True), OmegaConf.to_container(config.hydra.overrides)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["lr=0.5", "seed=7"],
        ["lr=0.5", "lr=0.25"],
        ["backbone=resnet34", "freeze=layer3.0", "weights=random"],
        ["head=mlp", "head.hidden=64"],
        ["head.dropout=0.5", "head=mlp"],
        ["data=folder", "data.path=some where", "data.fraction=0.5"],
        ["optimizer=sgd", "optimizer.momentum=0.5", "lr_schedule=step"],
        ["strategy=auto", "freeze=-1"],
        ["epochs=${batch_size}"],
        ["hydra.job.name=other", "lr=0.5"],
        ["tracking={uri: null, experiment: e, offline: false}"],
        ["++lr=0.5", "lr=0.25"],
        ["lr=0.25", "++lr=0.5"],
        ["tracking.experiment='a, b=c'"],
        ["++tags.project=leaves", "lr=0.25"],
        ["++tags={project: leaves, owner: me}", "lr=0.25"],
    ],
)
def test_it_is_what_hydra_composes(loaded: Loaded, words: list[str]) -> None:
    loader, master = loaded
    wanted = loader.load_sweep_config(master, words)
    composer = Composer(loader, master)
    composer.composed(["lr=0.125", "seed=3", "epochs=9"])
    for _ in range(2):
        found = composer.composed(words)
        assert plain(found) == plain(wanted)
    if "data=folder" not in words:
        assert settings_of(found) == settings_of(wanted)


def test_each_choice_of_files_is_read_once(loaded: Loaded) -> None:
    loader, master = loaded
    composer = Composer(loader, master)
    with mock.patch.object(loader, "load_sweep_config", wraps=loader.load_sweep_config) as read:
        jobs = [
            composer.composed([f"head={head}", f"lr={lr}"])
            for head in ("linear", "mlp")
            for lr in (0.1, 0.2, 0.3)
        ]
    assert read.call_count == 2
    assert [(job.head.name, job.lr) for job in jobs] == [
        ("linear", 0.1), ("linear", 0.2), ("linear", 0.3), ("mlp", 0.1), ("mlp", 0.2), ("mlp", 0.3),
    ]  # fmt: skip


@pytest.mark.parametrize("word", ["nothing=1", "head.nothing=1", "head=nothing", "~nothing"])
def test_mistakes_are_told_in_hydras_words(loaded: Loaded, word: str) -> None:
    loader, master = loaded
    with pytest.raises(HydraException) as wanted:
        loader.load_sweep_config(master, [word])
    with pytest.raises(HydraException) as found:
        Composer(loader, master).composed([word])
    assert str(found.value) == str(wanted.value)
