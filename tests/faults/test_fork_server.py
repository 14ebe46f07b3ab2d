"""What else may end around a job: the process that forks the jobs, the terminal."""

import os
import signal
from pathlib import Path

import psutil

from tests.faults.conftest import LONGEST_S, SIGNALS, TRAINING, Started, by_lr, jobs_of, store_of

SWEEP = ("-m", *TRAINING, "lr=0.001,0.002")


def test_jobs_go_on_without_the_fork_server_and_the_next_have_a_new_one(
    here: Path, started: list[Started]
) -> None:
    command = Started(here, *SWEEP, "hydra.launcher.jobs_per_process=1", faults="hold@0.001")
    started.append(command)
    job = psutil.Process(command.paused_job())
    server = job.parent()
    assert server is not None and server.pid != command.process.pid
    os.kill(server.pid, signal.SIGKILL)
    (here / "mark").unlink()
    assert command.process.wait(LONGEST_S) == 0, command.text
    assert {lr: run.status for lr, run in by_lr(jobs_of(here)).items()} == {
        "0.001": "FINISHED",
        "0.002": "FINISHED",
    }
    assert "failed" not in command.text


def test_a_closed_terminal_leaves_no_run_that_seems_to_go_on(
    here: Path, started: list[Started]
) -> None:
    command = Started(here, *SWEEP, faults="pause@0.001")
    started.append(command)
    command.paused_job()
    assert command.signal_group(signal.SIGHUP) == SIGNALS[signal.SIGHUP]
    assert {run.status for run in jobs_of(here)} == {"KILLED"}
    (parent,) = store_of(here).find_runs({"frostline.kind": "sweep"})
    assert parent.status == "KILLED"
    assert "stopped; go on with:" in command.text
