"""Pauses at a deadline, and the seconds of a run's earlier parts."""

import time

import pytest

from frostline.errors import DeadlineError
from frostline.training.rung import (
    PauseAtDeadline,
    add_seconds,
    check_deadline,
    rung_file,
    seconds_before,
)


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    return now


def _begin(pause):
    pause.on_train_epoch_start(None, None)


def test_an_epoch_begins_only_if_half_of_it_fits_before_the_deadline(clock):
    pause = PauseAtDeadline(1100.0)
    _begin(pause)
    clock[0] = 1040.0  # the first epoch took 40 s, so 20 s must be left
    _begin(pause)
    clock[0] = 1079.0
    _begin(pause)
    clock[0] = 1085.0  # the third took 6 s
    _begin(pause)
    clock[0] = 1099.0  # 14 s, of which 7 are needed
    with pytest.raises(DeadlineError):
        _begin(pause)


def test_the_first_epoch_of_a_part_begins_before_the_deadline_alone(clock):
    _begin(PauseAtDeadline(1000.5))
    with pytest.raises(DeadlineError):
        _begin(PauseAtDeadline(999.5))


def test_without_a_deadline_nothing_pauses(clock):
    pause = PauseAtDeadline(None)
    for clock[0] in (0.0, 1e9):
        _begin(pause)
    check_deadline(None, needs_s=1e9)


def test_the_seconds_of_parts_add_up_and_damage_counts_as_none(tmp_path):
    assert seconds_before(tmp_path) == 0.0
    add_seconds(tmp_path, 2.5)
    add_seconds(tmp_path, 4.0)
    assert seconds_before(tmp_path) == 6.5
    (tmp_path / "seconds.json").write_text("{")
    assert seconds_before(tmp_path) == 0.0


def test_rungs_are_files_that_sort_by_their_epochs(tmp_path):
    names = [rung_file(tmp_path, epochs).name for epochs in (2, 10, 100)]
    assert names == sorted(names)
