"""Rows 4 to 9: interrupted anywhere, the same command goes on, to the same numbers.

Every interrupted sweep is compared with one that nobody interrupted, to the last bit.
"""

import os
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from frostline.tracking.records import RunRecord
from tests.faults.conftest import (
    SIGNALS,
    TRAINING,
    Started,
    assert_same_training,
    by_lr,
    call,
    ended_place,
    jobs_of,
    store_of,
    until,
)

SWEEP = ("-m", *TRAINING, "lr=0.001,0.002")
PAUSE = "pause@0.002"


@pytest.fixture(scope="module")
def whole(
    tmp_path_factory: pytest.TempPathFactory, empty_store_file: Path
) -> tuple[Path, dict[str, RunRecord]]:
    """The sweep that nobody interrupts."""
    place = ended_place(tmp_path_factory.mktemp("whole"), empty_store_file, *SWEEP)
    return place, by_lr(jobs_of(place))


def assert_goes_on(
    here: Path, stopped: dict[str, RunRecord], whole: tuple[Path, dict[str, RunRecord]]
) -> subprocess.CompletedProcess[str]:
    """The same command again: same runs, same numbers, one parent, nothing left running."""
    again = call(here, *SWEEP)
    assert again.returncode == 0, again.stderr
    now = by_lr(jobs_of(here))
    assert {lr: run.run_id for lr, run in stopped.items()}.items() <= {
        lr: run.run_id for lr, run in now.items()
    }.items()
    assert len(jobs_of(here)) == 2
    for lr in ("0.001", "0.002"):
        assert_same_training((here, now[lr]), (whole[0], whole[1][lr]))
    (parent,) = store_of(here).find_runs({"frostline.kind": "sweep"})
    assert parent.status == "FINISHED"
    assert not list((here / ".frostline" / "jobs").glob("*"))
    return again


def stop_while(
    fault: str, number: int, here: Path, started: list[Started]
) -> tuple[Started, dict[str, RunRecord]]:
    command = Started(here, *SWEEP, faults=fault)
    started.append(command)
    command.paused_job()
    assert command.signal_group(number) == SIGNALS[signal.Signals(number)]
    return command, by_lr(jobs_of(here))


def test_ctrl_c_in_training_leaves_a_sweep_that_goes_on(
    here: Path, started: list[Started], whole: tuple[Path, dict[str, RunRecord]]
) -> None:
    command, stopped = stop_while(PAUSE, signal.SIGINT, here, started)
    assert {lr: run.status for lr, run in stopped.items()} == {
        "0.001": "FINISHED",
        "0.002": "KILLED",
    }
    assert stopped["0.002"].tags["frostline.failure"] == "stopped by SIGINT"
    (parent,) = store_of(here).find_runs({"frostline.kind": "sweep"})
    assert parent.status == "KILLED"
    assert "stopped; go on with:  python -m src.train -m backbone=test_resnet" in command.text
    assert "Traceback" not in command.text
    assert_goes_on(here, stopped, whole)


def test_sigkill_of_the_sweep_ends_its_jobs_and_the_next_call_takes_them_over(
    here: Path, started: list[Started], whole: tuple[Path, dict[str, RunRecord]]
) -> None:
    command = Started(here, *SWEEP, faults=PAUSE)
    started.append(command)
    job = psutil.Process(command.paused_job())
    os.kill(command.process.pid, signal.SIGKILL)
    # Nobody waits for the job any more: it stops by itself and says so.
    until(lambda: not job.is_running() or job.status() == psutil.STATUS_ZOMBIE)
    stopped = by_lr(jobs_of(here))
    assert stopped["0.002"].status == "KILLED"
    (parent,) = store_of(here).find_runs({"frostline.kind": "sweep"})
    assert parent.status == "RUNNING"
    assert_goes_on(here, stopped, whole)


@pytest.mark.slow
def test_sigkill_of_all_processes_and_a_newest_checkpoint_that_is_cut_short(
    here: Path, started: list[Started], whole: tuple[Path, dict[str, RunRecord]]
) -> None:
    command = Started(here, *SWEEP, faults="pause-late@0.002")
    started.append(command)
    command.paused_job()
    command.signal_group(signal.SIGKILL)
    command.end()
    stopped = by_lr(jobs_of(here))
    assert stopped["0.002"].status == "RUNNING"
    older, newest = sorted((here / ".frostline" / "jobs").glob("*/last-*.ckpt"))
    assert (older.name, newest.name) == ("last-00000.ckpt", "last-00001.ckpt")
    newest.write_bytes(newest.read_bytes()[:-1000])
    again = assert_goes_on(here, stopped, whole)
    assert "the one before it is used" in again.stderr


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["pause-val@0.002", "pause@0.002", "pause@load"])
def test_sigterm_wherever_the_job_is(
    fault: str, here: Path, started: list[Started], whole: tuple[Path, dict[str, RunRecord]]
) -> None:
    command = Started(here, *SWEEP, faults=fault)
    started.append(command)
    command.paused_job()
    # To the command alone, as `kill PID` does: it has to stop its job.
    assert command.signal(signal.SIGTERM) == 143
    stopped = by_lr(jobs_of(here))
    assert "KILLED" in {run.status for run in stopped.values()}
    assert "RUNNING" not in {run.status for run in stopped.values()}
    assert_goes_on(here, stopped, whole)


@pytest.mark.slow
def test_a_single_run_goes_on_too(here: Path, started: list[Started]) -> None:
    single = (*TRAINING, "lr=0.002")
    command = Started(here, *single, faults=PAUSE)
    started.append(command)
    command.paused_job()
    assert command.signal(signal.SIGINT) == 130
    (stopped,) = jobs_of(here)
    assert stopped.status == "KILLED"
    again = call(here, *single)
    assert again.returncode == 0, again.stderr
    (run,) = jobs_of(here)
    assert (run.run_id, run.status) == (stopped.run_id, "FINISHED")


def test_a_finished_sweep_asked_for_again_trains_nothing_and_changes_are_named(
    whole: tuple[Path, dict[str, RunRecord]],
) -> None:
    place, runs = whole
    again = call(place, *SWEEP)
    assert again.returncode == 0
    assert "2 jobs, 2 of them finished already" in again.stderr
    assert again.stdout.count("reused") == 2
    assert len(jobs_of(place)) == len(runs)
    (place / "photos" / "rising" / "0.png").write_bytes(
        (place / "photos" / "rising" / "1.png").read_bytes()
    )
    changed = call(place, *SWEEP, "dry_run=true")
    assert changed.returncode == 0, changed.stderr
    assert "2 jobs, 0 of them finished already" in changed.stderr
    assert "the data has changed" in changed.stderr
    assert "the earlier results of 2 jobs are not reused" in changed.stderr
    assert "time: about 0:" in changed.stderr or "time: unknown" in changed.stderr
    assert len(jobs_of(place)) == len(runs)


def test_a_report_that_was_interrupted_is_written_by_the_same_command(
    here: Path, started: list[Started]
) -> None:
    """All jobs are done then: the report is what is left of the sweep."""
    sweep = ("-m", *TRAINING, "epochs=1", "lr=0.001,0.002", "report=true")
    first = Started(here, *sweep, faults="pause@report")
    started.append(first)
    first.paused_job()
    assert first.signal_group(signal.SIGINT) == 130
    assert [run.status for run in jobs_of(here)] == ["FINISHED", "FINISHED"]
    store = store_of(here)
    (parent,) = store.find_runs({"frostline.kind": "sweep"})
    assert store.list_artifacts(parent.run_id, "report") == []
    again = call(here, *sweep)
    assert again.returncode == 0, again.stderr
    assert "2 jobs, 2 of them finished already" in again.stderr
    assert "report with intervals and the verdict:  " in again.stdout
    assert "report/report.html" in store.list_artifacts(parent.run_id, "report")
