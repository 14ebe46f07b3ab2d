"""Rows 19, 26 and 29: memory, disk and data workers that give out in the middle of a job."""

import resource
import subprocess
from pathlib import Path

import pytest

from tests.faults.conftest import LONGEST_S, TRAINING, call, command, fault_environment, jobs_of


@pytest.mark.slow
def test_half_the_batch_where_memory_ran_out(here: Path) -> None:
    """The injected CUDA error strikes batches of more than 8, in the second epoch."""
    ended = call(
        here, "-m", *TRAINING, "batch_size=16", "lr=0.005", "on_oom=shrink", faults="oom@0.005"
    )
    assert ended.returncode == 0, ended.stderr
    (run,) = jobs_of(here)
    assert run.status == "FINISHED"
    assert run.tags["frostline.on_oom"] == (
        "out of memory: batch_size 16 becomes 8, gradients of 2 batches are added up"
    )
    assert run.params["batch_size"] == "16"
    assert "batch_size 16 becomes 8" in ended.stderr


@pytest.mark.slow
def test_a_data_worker_that_is_killed(here: Path) -> None:
    ended = call(
        here,
        "-m",
        *TRAINING,
        "lr=0.005",
        "trainer.workers=1",
        faults="kill@worker",
    )
    assert ended.returncode == 1, ended.stderr
    (run,) = jobs_of(here)
    assert run.status == "FAILED"
    assert "DataLoader worker" in run.tags["frostline.failure"]
    assert "trainer.workers=0" in run.tags["frostline.hint"]
    assert "trainer.workers=0" in ended.stdout


@pytest.mark.slow
def test_a_disk_that_takes_no_checkpoint(here: Path) -> None:
    """A limit on file sizes stands in for the full disk: the database fits, weights do not."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_200_000, 1_200_000))

    ended = subprocess.run(
        command("-m", *TRAINING, "lr=0.001"),
        cwd=here,
        env=fault_environment(here),
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
        preexec_fn=limit,
    )
    assert ended.returncode == 1, ended.stderr
    (run,) = jobs_of(here)
    assert run.status == "FAILED"
    assert "File too large" in run.tags["frostline.failure"]
    assert not list((here / ".frostline" / "jobs").glob("*/*.ckpt"))
    again = call(here, "-m", *TRAINING, "lr=0.001")
    assert again.returncode == 0, again.stderr
    assert sorted(run.status for run in jobs_of(here)) == ["FAILED", "FINISHED"]
