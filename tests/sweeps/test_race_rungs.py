"""Where the runs of a race pause, and what of it fits into a budget of epochs."""

import json
from dataclasses import replace

import pytest

from frostline.config.search_settings import FIRST_LOOK, RaceSearch
from frostline.sweeps.budget import epochs_left, epochs_to_end
from frostline.sweeps.first_guess import can_guess
from frostline.sweeps.plan import PlannedJob
from frostline.sweeps.race_cells import cells_of, has_come
from frostline.sweeps.race_rungs import pause_of, race_rungs
from frostline.sweeps.race_runs import affordable
from frostline.tracking.records import RunRecord
from tests.sweeps.test_sweep_groups import planned, settings

RULES = RaceSearch(
    name="race",
    score="f1_macro",
    tolerance=0.01,
    drop_loss=0.01,
    keep_frac=1 / 3,
    settled_at=0.95,
    finish_frac=0.5,
    rungs=[1 / 9, 1 / 3],
)


def job_of(*words: str, n_train: int, digest: str = "a") -> PlannedJob:
    job = planned("freeze=0", "batch_size=32", *words, digest=digest, frozen=0)
    return replace(job, facts=replace(job.facts, n_train=n_train))


def _run(epochs: int | None, status: str = "SCHEDULED") -> RunRecord:
    tags = {} if epochs is None else {"frostline.rung": json.dumps({"epochs": epochs})}
    return RunRecord("id", "name", "here", status, {}, {}, tags, 0, None)


@pytest.mark.parametrize(
    ("n_train", "epochs", "rungs"),
    [
        (3200, 9, [1, 3, None]),
        (3200, 18, [2, 6, None]),
        (160, 18, [2, 6, None]),
        (160, 6, [2, None]),  # five steps an epoch: nothing can be said after the first one
        (160, 9, [2, 3, None]),
        (32, 9, [3, None]),
        (32, 1, [None]),
    ],
)
def test_no_rung_lies_before_anything_can_be_said(n_train, epochs, rungs):
    typed = job_of("lr=1e-3", f"epochs={epochs}", n_train=n_train)
    assert race_rungs(RULES, [typed]) == rungs
    tuned = job_of("lr=auto", f"epochs={epochs}", n_train=n_train)
    has_look = [FIRST_LOOK] if rungs != [None] else []
    assert race_rungs(RULES, [typed, tuned]) == [*has_look, *rungs]


def test_without_rungs_nothing_is_looked_at_early():
    rules = RULES.model_copy(update={"rungs": []})
    assert race_rungs(rules, [job_of("lr=auto", "epochs=9", n_train=3200)]) == [None]


def test_in_a_first_look_a_job_that_chooses_nothing_trains_to_its_rung():
    typed, tuned = (job_of(word, "epochs=9", n_train=3200) for word in ("lr=1e-3", "lr=auto"))
    rungs = race_rungs(RULES, [typed, tuned])
    assert [pause_of(job, FIRST_LOOK, rungs) for job in (typed, tuned)] == [1, FIRST_LOOK]
    assert [pause_of(job, 3, rungs) for job in (typed, tuned)] == [3, 3]


@pytest.mark.parametrize(
    ("epochs", "status", "come"),
    [
        (None, "SCHEDULED", [False, False, False]),
        (FIRST_LOOK, "SCHEDULED", [True, False, False]),
        (1, "SCHEDULED", [True, True, False]),
        (3, "RUNNING", [True, True, False]),
        (3, "FINISHED", [True, True, True]),
    ],
)
def test_how_far_a_run_has_come(epochs, status, come):
    run = _run(epochs, status)
    assert [has_come(run, until) for until in (FIRST_LOOK, 1, None)] == come
    assert not has_come(None, FIRST_LOOK)


def test_the_epochs_of_a_tuned_job_in_parts_add_up_to_those_of_all_of_it():
    job = job_of("lr=auto", "epochs=6", n_train=160)  # four candidates for two epochs
    assert epochs_left(job, 0, None) == 4 * 2 + 4
    look = epochs_left(job, 0, FIRST_LOOK)
    chosen = epochs_left(job, 0, 2, is_seen=True)
    assert (look, chosen, epochs_left(job, 2, None)) == (2, 6, 4)
    assert epochs_left(job, 0, FIRST_LOOK, is_seen=True) == 0
    assert epochs_left(job, 0, 1) == 8  # candidates are not judged before the second epoch
    typed = job_of("lr=1e-3", "epochs=6", n_train=160)
    assert [epochs_left(typed, done, 2) for done in (0, 1, 2, 6)] == [2, 1, 0, 0]


def test_no_job_begins_that_the_budget_in_epochs_does_not_hold():
    jobs = [job_of("lr=auto", "epochs=6", n_train=160, digest=name) for name in "abc"]
    known = {"b": _run(FIRST_LOOK)}
    able, spent = affordable([(job, 2) for job in jobs], known, 14.0)
    assert ([job.digest for job in able], spent) == (["a", "b"], 8 + 6)
    assert affordable([(jobs[0], 2)], {}, 7.9) == ([], 0.0)


def test_a_job_that_is_too_long_does_not_keep_cheaper_ones_from_the_budget():
    tuned = job_of("lr=auto", "epochs=6", n_train=160, digest="tuned")
    typed = job_of("lr=1e-3", "epochs=6", n_train=160, digest="typed")
    able, spent = affordable([(tuned, None), (typed, None)], {}, 6.0)
    assert ([job.digest for job in able], spent) == (["typed"], 6.0)


def test_epochs_from_a_pause_to_the_end_and_those_before_it_are_all_of_a_job():
    for words in ("lr=auto", "lr=1e-3"):
        job = job_of(words, "epochs=6", n_train=160)
        for until in (2, None):
            assert epochs_left(job, 0, until) + epochs_to_end(job, until) == epochs_left(
                job, 0, None
            )
    look = job_of("lr=auto", "epochs=6", n_train=160)
    assert epochs_left(look, 0, FIRST_LOOK) + epochs_to_end(look, FIRST_LOOK) == 12


def test_a_first_guess_orders_cells_that_freeze_alike_and_drops_none():
    def job(backbone: str, frozen: int) -> PlannedJob:
        words = (f"backbone={backbone}", f"freeze={frozen}")
        return planned(*words, digest=f"{backbone}{frozen}", frozen=frozen)

    jobs = [job(name, frozen) for name in ("test_resnet", "test_vit") for frozen in (0, 5)]

    def order(guess: dict[str, float] | None) -> list[str]:
        return [own[0].digest for own in cells_of(jobs, guess).values()]

    # Depths take turns, so that a budget that is short has seen each of them.
    assert order(None) == ["test_resnet5", "test_resnet0", "test_vit5", "test_vit0"]
    guessed = order({"test_resnet": 0.4, "test_vit": 0.6})
    assert guessed == ["test_vit5", "test_vit0", "test_resnet5", "test_resnet0"]


@pytest.mark.parametrize(
    ("second", "can"),
    [
        (("backbone=test_vit",), True),
        (("freeze=2",), False),  # one backbone: nothing to order
        (("backbone=test_vit", "image_size=96"), False),
        (("backbone=test_vit", "weights=random"), False),
    ],
)
def test_what_a_first_guess_can_be_made_of(second, can):
    cells = [settings("weights=pretrained"), settings("weights=pretrained", *second)]
    assert can_guess(cells) is can
