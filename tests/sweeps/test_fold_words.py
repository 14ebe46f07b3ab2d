"""`data.folds=5` in a sweep is five jobs."""

import pytest

from frostline.errors import ConfigError
from frostline.sweeps.fold_words import with_all_folds


def test_a_job_that_names_no_fold_is_all_of_them():
    got = with_all_folds(["freeze=2", "data.folds=3"])
    assert got == [["freeze=2", "data.folds=3", f"data.fold={fold}"] for fold in range(3)]


@pytest.mark.parametrize(
    "words",
    [
        ["freeze=2"],
        ["data.folds=3", "data.fold=1"],
        ["++data.folds=3", "++data.fold=1"],
        ["data.folds=null"],
        ["data.folds=many"],
        ["data.folds=-2"],
        ["data.folds=5", "data.folds=null"],  # the last one counts
    ],
)
def test_other_jobs_stay_as_they_are(words):
    assert with_all_folds(words) == [words]


def test_the_number_of_images_is_no_number_of_folds():
    with pytest.raises(ConfigError, match=r"data\.folds=1200: a sweep would train 1200 folds"):
        with_all_folds(["data.folds=1200"])
