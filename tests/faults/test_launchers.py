"""Hydra's own launchers, run for real: the same isolation, table, exit code and parent."""

import importlib.util
import signal
from pathlib import Path

import pytest

from tests.faults.conftest import (
    TRAINING,
    Started,
    assert_same_training,
    by_lr,
    call,
    jobs_of,
    make_place,
    store_of,
)

SWEEP = ("-m", *TRAINING, "lr=0.001,0.002,0.003,0.004")
FAULTS = "raise@0.002 kill@0.003"
LAUNCHERS = {
    "joblib": ("hydra_plugins.hydra_joblib_launcher", "hydra.launcher.n_jobs=2"),
    "submitit_local": ("hydra_plugins.hydra_submitit_launcher", "hydra.launcher.timeout_min=10"),
    "ray": ("ray", "hydra.launcher.ray.remote.num_cpus=1"),
}


def installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_sweep_with_two_bad_jobs(launcher: str, here: Path) -> None:
    package, option = LAUNCHERS[launcher]
    if not installed(package):
        pytest.skip(f"{package} is not installed (an extra of pyproject.toml)")
    started = Started(here, *SWEEP, f"hydra/launcher={launcher}", option, faults=FAULTS)
    code = started.process.wait(500)
    text = started.text
    started.end()
    assert code == 1, text
    runs = by_lr(jobs_of(here))
    assert {lr: run.status for lr, run in runs.items()} == {
        "0.001": "FINISHED",
        "0.002": "FAILED",
        "0.003": "KILLED",
        "0.004": "FINISHED",
    }
    assert "FAILED  test_resnet-freeze0-seed0-lr=0.002: ValueError: a fault in the job" in text
    assert "killed by SIGKILL" in text
    assert "job_digest" not in text
    assert "[HYDRA]" not in text
    (parent,) = store_of(here).find_runs({"frostline.kind": "sweep"})
    assert {run.parent_run_id for run in runs.values()} == {parent.run_id}
    assert parent.status == "FAILED"


@pytest.mark.slow
def test_fail_fast_reaches_jobs_that_a_launcher_has_handed_out(here: Path) -> None:
    launcher = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=1")
    started = Started(here, *SWEEP, *launcher, "fail_fast=1", faults="raise@0.001")
    code = started.process.wait(500)
    text = started.text
    started.end()
    assert code == 1, text
    assert {lr: run.status for lr, run in by_lr(jobs_of(here)).items()} == {"0.001": "FAILED"}
    assert text.count("NOT RUN test_resnet-freeze0-seed0") == 3


@pytest.mark.slow
def test_joblib_gives_the_numbers_of_one_after_the_other(
    here: Path, tmp_path_factory: pytest.TempPathFactory, empty_store_file: Path
) -> None:
    other = make_place(tmp_path_factory.mktemp("alone"), empty_store_file)
    sweep = ("-m", *TRAINING, "lr=0.001,0.004", "trainer.threads=1")
    assert call(here, *sweep, "hydra/launcher=joblib").returncode == 0
    assert call(other, *sweep).returncode == 0
    ours, theirs = by_lr(jobs_of(here)), by_lr(jobs_of(other))
    for lr in ours:
        assert_same_training((here, ours[lr]), (other, theirs[lr]))


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_ctrl_c_leaves_a_sweep_that_goes_on(launcher: str, here: Path) -> None:
    sweep = ("-m", *TRAINING, "lr=0.001,0.002", f"hydra/launcher={launcher}")
    started = Started(here, *sweep, faults="pause@0.001 pause@0.002")
    started.paused_job()
    code = started.signal_group(signal.SIGINT)
    text = started.text
    started.end()
    assert code == 130, text
    # One of them may have been stopped before it had noted what it is.
    stopped = jobs_of(here)
    assert {run.status for run in stopped} <= {"KILLED", "RUNNING"}
    (parent,) = store_of(here).find_runs({"frostline.kind": "sweep"})
    assert parent.status == "KILLED"
    again = call(here, *sweep)
    assert again.returncode == 0, again.stderr
    runs = jobs_of(here)
    assert [run.status for run in runs] == ["FINISHED", "FINISHED"]
    assert {run.run_id for run in stopped} <= {run.run_id for run in runs}


def test_a_launcher_that_is_not_installed_is_told_at_once(tmp_path: Path) -> None:
    ended = call(tmp_path, "-m", "freeze=0,2", "hydra.launcher._target_=hydra_plugins.nobody.X")
    assert ended.returncode == 2
    assert "it is not installed here" in ended.stderr
    assert "pip install nobody" in ended.stderr
