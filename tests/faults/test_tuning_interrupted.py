"""A tuned sweep that is killed while its candidates train, or after: it ends with the same figures.

Every interrupted sweep is compared with one that nobody interrupted, to the last bit.
"""

import signal
from pathlib import Path

import pytest

from frostline.tracking.records import RunRecord
from tests.faults.conftest import (
    TRAINING,
    Started,
    assert_same_training,
    call,
    ended_place,
    jobs_of,
)

TUNED = (
    "-m", *TRAINING, "epochs=4", "seed=0,1", "lr=auto", "tune.first_frac=0.25",
    "tune.over={lr: [0.0005, 0.001, 0.002]}",
)  # fmt: skip


def by_seed(runs: list[RunRecord]) -> dict[str, RunRecord]:
    return {run.params["seed"]: run for run in runs}


@pytest.fixture(scope="module")
def whole(
    tmp_path_factory: pytest.TempPathFactory, empty_store_file: Path
) -> tuple[Path, dict[str, RunRecord]]:
    """The sweep that nobody interrupts."""
    place = ended_place(tmp_path_factory.mktemp("whole"), empty_store_file, *TUNED)
    return place, by_seed(jobs_of(place))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_stopped_while_a_candidate_trains(
    number: signal.Signals,
    here: Path,
    started: list[Started],
    whole: tuple[Path, dict[str, RunRecord]],
) -> None:
    assert_ends_the_same("pause@0.001", number, here, started, whole)


def test_killed_while_the_chosen_candidate_goes_on(
    here: Path, started: list[Started], whole: tuple[Path, dict[str, RunRecord]]
) -> None:
    lr = whole[1]["0"].params["lr"]
    text = assert_ends_the_same(f"pause-late@{lr}", signal.SIGKILL, here, started, whole)
    assert "candidate" not in text, "nothing is tuned again"


def assert_ends_the_same(
    fault: str,
    number: signal.Signals,
    here: Path,
    started: list[Started],
    whole: tuple[Path, dict[str, RunRecord]],
) -> str:
    """Stop the sweep in its fault, give the command again, compare; what the second one printed."""
    command = Started(here, *TUNED, faults=fault)
    started.append(command)
    command.paused_job()
    command.signal_group(number)
    command.end()
    (stopped,) = jobs_of(here)
    assert stopped.status in {"RUNNING", "KILLED"}
    again = call(here, *TUNED)
    assert again.returncode == 0, again.stderr
    now, (place, expected) = by_seed(jobs_of(here)), whole
    assert now["0"].run_id == stopped.run_id
    assert {run.status for run in now.values()} == {"FINISHED"}
    for seed, run in expected.items():
        assert now[seed].params["lr"] == run.params["lr"]
        assert_same_training((here, now[seed]), (place, run))
    assert not list((here / ".frostline" / "tuning").rglob("*.ckpt"))
    return again.stderr
