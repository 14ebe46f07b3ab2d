"""Phases by value: a pure function of the schedule, the depth and the number of epochs."""

import itertools

import pytest

from frostline.config.recipe import ConstantSchedule, Gradual, HeadFirst
from frostline.errors import ConfigError
from frostline.training.schedule import Phase, phase_of, phase_to_train, phases_of

HEAD_FIRST = HeadFirst(name="head_first", head_epochs=10, lr_factor=0.1, thawed_bn="eval")


def gradual(every_epochs: int = 1, lr_factor: float = 1.0) -> Gradual:
    return Gradual(name="gradual", every_epochs=every_epochs, lr_factor=lr_factor, thawed_bn="eval")


def depths(phases: tuple[Phase, ...], epochs: int) -> list[int | str]:
    return [phase_of(phases, epoch).freeze for epoch in range(epochs)]


def test_constant_is_one_phase() -> None:
    phases = phases_of(
        ConstantSchedule(name="constant"), freeze="all", prefix_stages=5, num_stages=5, epochs=3
    )
    assert phases == (Phase(0, 3, "all", 1.0),)


def test_head_first_is_the_recipe_of_the_book() -> None:
    phases = phases_of(HEAD_FIRST, freeze=4, prefix_stages=4, num_stages=5, epochs=30)
    assert phases == (Phase(0, 10, "all", 1.0), Phase(10, 20, 4, 0.1, "eval"))
    assert [str(phase) for phase in phases] == [
        "epoch 1-10: freeze=all",
        "epoch 11-30: freeze=4, lr x 0.1",
    ]
    assert phase_of(phases, 9).freeze == "all"
    assert phase_of(phases, 10).lr_factor == 0.1


@pytest.mark.parametrize(
    ("every", "freeze", "whole", "stages", "epochs", "expected"),
    [
        (1, 2, 2, 5, 6, ["all", 4, 3, 2, 2, 2]),
        (2, 3, 3, 5, 6, ["all", "all", 4, 4, 3, 3]),
        (1, 0, 0, 3, 4, ["all", 2, 1, 0]),
        (1, "layer3.0", 3, 5, 4, ["all", 4, "layer3.0", "layer3.0"]),
        (3, 4, 4, 5, 4, ["all", "all", "all", 4]),
        # Listed stages stay frozen; of the others the last one thaws first.
        (1, "[3,4]", 0, 5, 5, ["all", 4, "[1,3,4]", "[3,4]", "[3,4]"]),
        (1, "[1,2,4]", 2, 5, 4, ["all", 4, "[1,2,4]", "[1,2,4]"]),
        (1, "[3,5]", 0, 5, 5, ["all", "[1,2,3,5]", "[1,3,5]", "[3,5]", "[3,5]"]),
    ],
)
def test_gradual_thaws_from_the_top_to_the_chosen_depth(
    every: int, freeze: int | str, whole: int, stages: int, epochs: int, expected: list[int | str]
) -> None:
    phases = phases_of(
        gradual(every, 0.5), freeze=freeze, prefix_stages=whole, num_stages=stages, epochs=epochs
    )
    assert depths(phases, epochs) == expected
    assert [phase.lr_factor for phase in phases] == [1.0] + [0.5] * (len(phases) - 1)
    assert [phase.thawed_bn for phase in phases] == ["train"] + ["eval"] * (len(phases) - 1)
    assert phases[-1].end == epochs
    for one, next_one in itertools.pairwise(phases):
        assert one.end == next_one.first_epoch


@pytest.mark.parametrize(
    ("schedule", "freeze", "whole", "epochs", "message"),
    [
        (HEAD_FIRST, "all", 5, 30, "schedule=head_first freeze=all: only the head trains"),
        (gradual(), 5, 5, 30, "schedule=gradual freeze=5: only the head trains"),
        (gradual(), "layer4.1", 5, 30, "nothing to thaw"),
        (HEAD_FIRST, 2, 2, 10, "head_epochs=10: freeze=2 is reached after 10 epochs, and epoch"),
        (HEAD_FIRST, 2, 2, 6, "epochs=11 or more"),
        (gradual(2), 2, 2, 6, "3 thaws, one every 2 epochs: freeze=2 is reached after 6 epochs"),
        (gradual(2), 2, 2, 6, "raise epochs to 7"),
    ],
)
def test_a_run_that_would_not_do_what_it_says_is_refused(
    schedule: HeadFirst | Gradual, freeze: int | str, whole: int, epochs: int, message: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        phases_of(schedule, freeze=freeze, prefix_stages=whole, num_stages=5, epochs=epochs)
    assert message in str(refused.value)


def test_there_is_no_phase_before_or_after_the_run() -> None:
    phases = (Phase(0, 2, "all", 1.0), Phase(2, 2, 1, 1.0))
    for epoch in (-1, 4):
        with pytest.raises(ValueError, match=f"epoch {epoch} is in none"):
            phase_of(phases, epoch)


@pytest.mark.parametrize(
    ("done", "until", "first_epoch"),
    [(0, 5, 0), (1, 5, 0), (2, 5, 2), (3, 5, 3), (4, 5, 3), (5, 5, 3), (2, 2, 0), (3, 3, 2)],
)
def test_what_is_over_is_not_entered_again_and_the_last_phase_that_was_begun_always_is(
    done: int, until: int, first_epoch: int
) -> None:
    phases = (Phase(0, 2, "all", 1.0), Phase(2, 1, 1, 1.0), Phase(3, 2, 0, 1.0))
    assert phase_to_train(phases, done, until=until).first_epoch == first_epoch
