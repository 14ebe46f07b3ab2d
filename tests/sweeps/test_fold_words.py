"""`data.folds=5` in a sweep is five jobs."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from frostline.config.read import settings_of
from frostline.config.schema import Settings
from frostline.errors import ConfigError
from frostline.sweeps.fold_words import with_all_folds

CONF = Path(__file__).parents[2] / "conf"


def settings(*words: str) -> Settings:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return settings_of(compose("train", overrides=list(words)))


@pytest.mark.parametrize("folds", ["data.folds=3", "++data.folds=3", "data.folds='3'"])
def test_a_job_that_names_no_fold_is_all_of_them(folds: str) -> None:
    words = ["freeze=2", folds]
    got = with_all_folds(words, settings(*words))
    assert got == [["freeze=2", folds, f"data.fold={fold}"] for fold in range(3)]


def test_folds_that_a_file_asks_for_are_all_trained_too() -> None:
    """Such as `folds: 3` in a user's own conf/data/mine.yaml, or in a study."""
    of_file = settings("data.folds=3")
    assert with_all_folds(["freeze=2"], of_file) == [
        ["freeze=2", f"data.fold={fold}"] for fold in range(3)
    ]
    assert with_all_folds(["freeze=2"], settings("data.folds=3", "data.fold=2")) == [["freeze=2"]]


@pytest.mark.parametrize(
    "words",
    [
        ["freeze=2"],
        ["data.folds=3", "data.fold=1"],
        ["data.folds=3", "data.fold=0"],
        ["++data.folds=3", "++data.fold=0"],
        ["data.folds=null"],
        ["data.folds=5", "data.folds=null"],  # the last one counts
    ],
)
def test_other_jobs_stay_as_they_are(words: list[str]) -> None:
    assert with_all_folds(words, settings(*words)) == [words]


def test_the_number_of_images_is_no_number_of_folds() -> None:
    with pytest.raises(ConfigError, match=r"data\.folds=1200: a sweep would train 1200 folds"):
        with_all_folds(["data.folds=1200"], settings("data.folds=1200"))
