"""Phases that end by patience: where, by value, and what is refused."""

import pytest

from frostline.config.identity import _values, config_digest
from frostline.config.recipe import Gradual, HeadFirst
from frostline.errors import ConfigError
from frostline.training.learning_rates import Course
from frostline.training.phase_end import cut_short, phases_after
from frostline.training.schedule import Phase, phases_of, phases_text
from tests.composed import settings


def head_first(most: int, patience: int | None) -> HeadFirst:
    return HeadFirst(
        name="head_first",
        head_epochs=most,
        patience_epochs=patience,
        lr_factor=0.1,
        thawed_bn="eval",
    )


def gradual(most: int, patience: int | None) -> Gradual:
    return Gradual(
        name="gradual", every_epochs=most, patience_epochs=patience, lr_factor=1.0, thawed_bn="eval"
    )


def planned(schedule: HeadFirst | Gradual, *, freeze: int = 3, epochs: int) -> tuple[Phase, ...]:
    return phases_of(schedule, freeze=freeze, prefix_stages=freeze, num_stages=5, epochs=epochs)


@pytest.mark.parametrize(
    ("scores", "mode", "first"),
    [
        ([], "max", 6),
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], "max", 6),
        ([0.5, 0.4, 0.4], "max", 3),
        ([0.5, 0.5, 0.5], "max", 3),
        ([0.5, 0.4, 0.6, 0.5], "max", 6),  # one epoch without a better one is not two
        ([0.5, 0.4, 0.6, 0.5, 0.6], "max", 5),
        ([0.5, 0.4, 0.4], "min", 6),
        ([0.5, 0.4, 0.4, 0.4], "min", 4),
        # What comes after the end says nothing of where it was.
        ([0.5, 0.4, 0.4, 0.9, 0.9, 0.9, 0.9], "max", 3),
    ],
)
def test_the_head_trains_until_it_is_no_better(scores: list[float], mode: str, first: int) -> None:
    phases = planned(head_first(6, 2), epochs=10)
    found = phases_after(phases, scores, patience_epochs=2, mode=mode)
    assert [(phase.first_epoch, phase.end) for phase in found] == [(0, first), (first, 10)]
    assert [phase.freeze for phase in found] == ["all", 3]


def test_each_phase_counts_from_its_own_first_epoch() -> None:
    phases = planned(gradual(4, 1), epochs=12)
    # The second phase begins lower than the first one ended, and rises all the same.
    scores = [0.6, 0.6, 0.3, 0.4, 0.5, 0.55, 0.5]
    found = phases_after(phases, scores, patience_epochs=1, mode="max")
    assert [(phase.first_epoch, phase.end) for phase in found] == [(0, 2), (2, 6), (6, 12)]


def test_a_fixed_schedule_stays_as_planned() -> None:
    phases = planned(head_first(6, None), epochs=10)
    assert phases_after(phases, [0.5] * 9, patience_epochs=None, mode="max") == phases
    assert phases_text(phases) == "epoch 1-6: freeze=all; epoch 7-10: freeze=3, lr x 0.1"


def test_the_words_say_where_a_phase_ended_and_how_long_it_might_have_been() -> None:
    phases = planned(head_first(6, 2), epochs=10)
    assert phases_text(phases).startswith("epoch 1-6 (of at most 6): freeze=all; epoch 7-10: ")
    found = phases_after(phases, [0.5, 0.4, 0.4], patience_epochs=2, mode="max")
    assert phases_text(found) == (
        "epoch 1-3 (of at most 6): freeze=all; epoch 4-10: freeze=3, lr x 0.1"
    )
    assert cut_short(found, 10, until=10) == found
    assert phases_text(cut_short(found, 8, until=10)).endswith(
        "; epoch 4-8 (of at most 7): freeze=3, lr x 0.1"
    )


@pytest.mark.parametrize("most", [1, 2, 3, 4])
def test_a_patience_that_never_runs_out_is_refused(most: int) -> None:
    for schedule, key in ((head_first(most, 3), "head"), (gradual(most, 3), "every")):
        with pytest.raises(ConfigError) as refused:
            planned(schedule, epochs=30)
        assert f"at most schedule.{key}_epochs={most} epochs" in str(refused.value)
        assert f"schedule.{key}_epochs=5 or more" in str(refused.value)
    planned(head_first(5, 3), epochs=30)


def test_the_course_of_the_rates_follows_the_scores() -> None:
    phases = planned(head_first(6, 2), epochs=10)
    course = Course(phases, {}, "val/loss", "min", 2)
    assert course.phases_after([0.4, 0.5, 0.6])[1].first_epoch == 3
    assert course.epochs == 10


def test_the_digest_of_a_job_without_patience_is_that_of_before_there_was_any() -> None:
    plain = settings("schedule=head_first")
    assert _values(plain)["schedule"] == {
        "name": "head_first", "head_epochs": 2, "lr_factor": 0.1, "thawed_bn": "eval"
    }  # fmt: skip
    patient = settings("schedule=head_first", "schedule.patience_epochs=3")
    assert _values(patient)["schedule"]["patience_epochs"] == 3
    assert config_digest(plain) != config_digest(patient)
