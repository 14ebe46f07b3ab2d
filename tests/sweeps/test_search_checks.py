"""What is refused of a race and a budget before the first job."""

import math
from dataclasses import replace

import pytest

from frostline.config.search_settings import Budget
from frostline.errors import ConfigError
from frostline.sweeps.budget import check_search, deadline_of, reserve_s
from frostline.sweeps.plan import PlannedJob
from tests.sweeps.test_sweep_groups import planned

RACE, GRID = "search=race", "search=grid"


def _jobs(*words: str, freeze: tuple[str, ...] = ("0", "2")) -> list[PlannedJob]:
    return [
        replace(
            planned("lr=1e-3", f"freeze={depth}", *words, digest=f"{depth}{seed}", frozen=0),
            index=number,
        )
        for number, (depth, seed) in enumerate((d, s) for d in freeze for s in (0, 1))
    ]


@pytest.mark.parametrize(
    ("words", "freeze", "message"),
    [
        ((RACE, "seed=0"), ("0",), "nothing to compare it with"),
        ((RACE, "rerun=true"), ("0", "2"), "goes on with the runs that are there"),
        ((RACE, "tracking.offline=true"), ("0", "2"), "reads its runs from the store"),
        ((RACE, "data.folds=3"), ("0", "2"), "folds of one data set are judged together"),
        ((RACE, "trainer=ddp"), ("0", "2"), "cannot pause"),
        ((RACE, "epochs=3", "budget=2epochs"), ("0", "2"), "shortest job is expected to take 3 ep"),
        ((GRID, "epochs=3", "budget=11epochs"), ("0", "2"), "expected to take 12 epochs"),
        ((GRID, "epochs=3", "budget=11epochs"), ("0", "2"), "search=race"),
    ],
)
def test_it_is_refused_with_what_to_do(words, freeze, message):
    jobs = _jobs(*words, freeze=freeze)
    with pytest.raises(ConfigError) as refused:
        check_search(jobs, jobs, [])
    assert message in str(refused.value)


def test_what_fits_is_not_refused():
    for words in ((RACE, "epochs=3", "budget=3epochs"), (GRID, "epochs=3", "budget=12epochs")):
        jobs = _jobs(*words)
        check_search(jobs, jobs, [])
    jobs = _jobs(GRID, "epochs=3", "budget=1epoch")
    check_search(jobs, [], [])  # nothing is left to run


def test_a_tenth_of_a_budget_is_kept_for_its_end_but_no_more_than_twenty_seconds():
    assert [reserve_s(budget_s) for budget_s in (30.0, 200.0, 7200.0)] == [3.0, 20.0, 20.0]
    assert deadline_of(Budget(seconds=300.0), 1000.0) == 1280.0
    assert deadline_of(Budget(epochs=50.0), 1000.0) is None
    assert math.isinf(Budget().seconds)
