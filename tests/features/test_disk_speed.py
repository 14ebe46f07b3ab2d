"""How fast the disk is: one busy moment does not decide for long."""

import json

import pytest

from frostline.features import disk_speed
from frostline.features.cost_model import Speeds
from frostline.features.disk_speed import MAX_AGE_S, MEASUREMENTS, disk_speeds
from frostline.features.stored_file import StoreFailedError

BUSY, IDLE = Speeds(1e6, 1e6, 1e9), Speeds(5e8, 2e9, 8e8)
NOW_S = 1_000_000_000.0


@pytest.fixture
def machine(monkeypatch):
    """Measurements that are given in turn, and the time."""

    class Machine:
        def __init__(self):
            self.now_s, self.coming, self.taken = NOW_S, [], 0

        def measure(self, path):
            self.taken += 1
            return self.coming.pop(0)

    machine = Machine()
    monkeypatch.setattr(disk_speed, "_measure", machine.measure)
    monkeypatch.setattr(disk_speed.time, "time", lambda: machine.now_s)
    return machine


def test_the_best_of_a_few_counts_and_then_nothing_is_measured(machine, tmp_path):
    machine.coming = [BUSY, IDLE, BUSY]
    found = [disk_speeds(tmp_path) for _ in range(MEASUREMENTS + 2)]
    assert found[0] == BUSY
    assert found[1:] == [Speeds(5e8, 2e9, 1e9)] * (MEASUREMENTS + 1)
    assert machine.taken == MEASUREMENTS


@pytest.mark.parametrize("later_s", [MAX_AGE_S + 1, -3600])
def test_what_is_old_or_from_a_wrong_clock_is_measured_anew(machine, tmp_path, later_s):
    machine.coming = [IDLE] * MEASUREMENTS + [BUSY]
    for _ in range(MEASUREMENTS):
        disk_speeds(tmp_path)
    machine.now_s = NOW_S + MAX_AGE_S
    assert disk_speeds(tmp_path) == IDLE
    machine.now_s = NOW_S + later_s
    assert disk_speeds(tmp_path) == BUSY


@pytest.mark.parametrize(
    "content", ["", "{}", "[1]", '[{"at_s": 1e9}]', json.dumps(vars(BUSY)), "[{}]", "\0"]
)
def test_a_file_of_an_older_form_or_a_damaged_one_is_replaced(machine, tmp_path, content):
    (tmp_path / "speeds.json").write_text(content)
    machine.coming = [IDLE]
    assert disk_speeds(tmp_path) == IDLE
    assert len(json.loads((tmp_path / "speeds.json").read_text())) == 1


def test_a_disk_that_is_full_by_now_has_the_speeds_it_had(machine, tmp_path, monkeypatch):
    machine.coming = [IDLE]
    disk_speeds(tmp_path)

    def full(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(disk_speed, "_measure", full)
    assert disk_speeds(tmp_path) == IDLE
    with pytest.raises(StoreFailedError):
        disk_speeds(tmp_path / "another")


def test_a_real_disk_has_speeds(tmp_path):
    found = disk_speeds(tmp_path / "store")
    assert min(vars(found).values()) > 0
    assert [file.name for file in (tmp_path / "store").iterdir()] == ["speeds.json"]
