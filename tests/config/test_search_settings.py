import math

import pytest

from frostline.config.search_settings import Budget, RaceSearch, budget_of, checked_budget


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("90s", Budget(seconds=90)),
        ("20m", Budget(seconds=1200)),
        ("20 min", Budget(seconds=1200)),
        ("1.5h", Budget(seconds=5400)),
        ("2H", Budget(seconds=7200)),
        ("1d", Budget(seconds=86400)),
        ("500epochs", Budget(epochs=500)),
        ("1 epoch", Budget(epochs=1)),
        (None, Budget()),
    ],
)
def test_a_budget_is_a_time_or_epochs(text, budget):
    assert budget_of(checked_budget(text)) == budget


@pytest.mark.parametrize(
    "wrong", ["abc", "0", 0, 20, "20", "-3m", "0m", "0epochs", True, "3 w", ""]
)
def test_anything_else_is_refused_with_what_is_allowed(wrong):
    with pytest.raises(ValueError, match=r"20m, 1\.5h.*500epochs"):
        checked_budget(wrong)


def test_no_budget_has_no_limit():
    assert Budget().is_none
    assert math.isinf(budget_of("500epochs").seconds)


def _race(**changes):
    values = {
        "name": "race",
        "score": "f1_macro",
        "tolerance": 0.01,
        "drop_loss": 0.01,
        "keep_frac": 0.3,
        "settled_at": 0.95,
        "finish_frac": 0.5,
        "rungs": [1 / 9, 1 / 3],
    }
    return RaceSearch.model_validate(values | changes)


@pytest.mark.parametrize(
    ("epochs", "rungs"), [(1, [1]), (2, [1, 2]), (6, [1, 2, 6]), (90, [10, 30, 90])]
)
def test_rungs_are_shares_of_the_epochs(epochs, rungs):
    assert _race().rungs_of(epochs) == rungs


def test_rungs_rise():
    with pytest.raises(ValueError, match="each larger than the one before"):
        _race(rungs=[0.5, 0.2])
