"""Pauses at a deadline, and the seconds of a run's earlier parts."""

import time

import pytest

from frostline.errors import DeadlineError
from frostline.training import rung
from frostline.training.deadline import check_deadline, is_past
from frostline.training.rung import (
    PauseAtDeadline,
    add_seconds,
    epoch_seconds,
    rung_file,
    seconds_before,
)


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    monkeypatch.setattr(rung, "running_s", lambda: now[0])  # no process is stopped here
    return now


def _begin(pause):
    pause.on_train_epoch_start(None, None)


def test_an_epoch_begins_only_if_one_like_the_last_ends_before_the_deadline(clock):
    pause = PauseAtDeadline(1100.0)
    _begin(pause)
    clock[0] = 1040.0  # the first epoch took 40 s
    _begin(pause)
    clock[0] = 1050.0  # the second took 10 s
    _begin(pause)
    clock[0] = 1079.0  # the third took 29 s: 21 s are not enough for another one
    with pytest.raises(DeadlineError):
        _begin(pause)


@pytest.mark.parametrize("deadline_s", [1003.0, 1030.0, 1057.0, 1200.0])
def test_a_whole_command_of_many_parts_never_trains_past_its_deadline(clock, tmp_path, deadline_s):
    trained = 0
    for run in range(4):
        work = tmp_path / str(run)
        work.mkdir()
    for _ in range(3):  # rounds, in which each run goes on for two epochs
        for run in range(4):
            work, epoch_s = tmp_path / str(run), 3.0 + run
            pause = PauseAtDeadline(deadline_s, epoch_seconds(work))
            begun_s = clock[0]
            try:
                for _ in range(2):
                    first = pause.epoch_s is None
                    _begin(pause)
                    clock[0] += epoch_s
                    trained += 1
                    # Of a run's very first epoch nothing is known; all others end in time.
                    assert clock[0] <= deadline_s + (epoch_s if first else 0.0)
                pause.on_train_end(None, None)
            except DeadlineError:
                pass
            add_seconds(work, clock[0] - begun_s, epoch_s=pause.epoch_s)
    assert trained == {1003.0: 2, 1030.0: 7, 1057.0: 13, 1200.0: 24}[deadline_s]
    if deadline_s == 1200.0:
        assert [epoch_seconds(tmp_path / str(run)) for run in range(4)] == [3.0, 4.0, 5.0, 6.0]
        assert seconds_before(tmp_path / "3") == 36.0


def test_the_first_epoch_of_a_part_begins_before_the_deadline_alone(clock):
    _begin(PauseAtDeadline(1000.5))
    with pytest.raises(DeadlineError):
        _begin(PauseAtDeadline(999.5))


def test_without_a_deadline_nothing_pauses(clock):
    pause = PauseAtDeadline(None)
    for clock[0] in (0.0, 1e9):
        _begin(pause)
    check_deadline(None, needs_s=1e9)
    assert not is_past(None, needs_s=1e9)


def test_the_seconds_of_parts_add_up_and_damage_counts_as_none(tmp_path):
    assert seconds_before(tmp_path) == 0.0
    add_seconds(tmp_path, 2.5)
    add_seconds(tmp_path, 4.0)
    assert seconds_before(tmp_path) == 6.5
    assert epoch_seconds(tmp_path) is None
    (tmp_path / "seconds.json").write_text("{")
    assert seconds_before(tmp_path) == 0.0


def test_rungs_are_files_that_sort_by_their_epochs(tmp_path):
    names = [rung_file(tmp_path, epochs).name for epochs in (2, 10, 100)]
    assert names == sorted(names)
