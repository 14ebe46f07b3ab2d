"""Rows 1, 3, 6, 11, 26 and 27: what one job does to itself stays with it, and stands on its run."""

import subprocess
from pathlib import Path

import pytest

from frostline.tracking.records import RunRecord
from tests.faults.conftest import (
    TRAINING,
    assert_same_training,
    by_lr,
    call,
    jobs_of,
    make_place,
    store_of,
)

FAULTS = "raise@0.002 exit@0.003 kill@0.004 oom@0.005"
SWEEP = ("-m", *TRAINING, "lr=0.001,0.002,0.003,0.004,0.005,1e30,0.006,0.006", "batch_size=16")
FAILED = ("0.002", "0.003", "0.004", "0.005", "1e+30")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, empty_store_file: Path) -> Path:
    return make_place(tmp_path_factory.mktemp("faults"), empty_store_file)


@pytest.fixture(scope="module")
def ended(place: Path) -> subprocess.CompletedProcess[str]:
    return call(place, *SWEEP, faults=FAULTS)


@pytest.fixture(scope="module")
def runs(place: Path, ended: subprocess.CompletedProcess[str]) -> dict[str, RunRecord]:
    return by_lr(jobs_of(place))


@pytest.fixture(scope="module")
def again(place: Path, runs: dict[str, RunRecord]) -> subprocess.CompletedProcess[str]:
    """The same command, the faults gone."""
    return call(place, *SWEEP)


def test_the_others_run_and_the_exit_code_says_that_some_failed(
    ended: subprocess.CompletedProcess[str], runs: dict[str, RunRecord]
) -> None:
    assert ended.returncode == 1, ended.stderr
    assert {lr: run.status for lr, run in runs.items()} == {
        "0.001": "FINISHED",
        "0.002": "FAILED",
        "0.003": "FAILED",
        "0.004": "KILLED",
        "0.005": "FAILED",
        "1e+30": "FAILED",
        "0.006": "FINISHED",
    }


def test_each_failure_is_named_with_its_cause(
    place: Path, ended: subprocess.CompletedProcess[str], runs: dict[str, RunRecord]
) -> None:
    reasons = {lr: runs[lr].tags["frostline.failure"] for lr in FAILED}
    assert reasons["0.002"] == "ValueError: a fault in the job"
    assert reasons["0.003"] == "SystemExit: 7"
    assert reasons["0.004"].startswith("the process was killed by SIGKILL")
    assert "CUDA out of memory" in reasons["0.005"]
    assert "the training loss became" in reasons["1e+30"]
    assert "on_oom=shrink" in runs["0.005"].tags["frostline.hint"]
    for lr in FAILED:
        first_line = reasons[lr].splitlines()[0]
        assert f"FAILED  test_resnet-freeze0-seed0-lr={lr}: {first_line}" in ended.stdout
    trace = store_of(place).fetch_artifact(runs["0.002"].run_id, "traceback.txt").read_text()
    assert 'raise ValueError("a fault in the job")' in trace


def test_a_diverged_run_is_tagged_and_keeps_no_checkpoint(
    place: Path, runs: dict[str, RunRecord]
) -> None:
    assert runs["1e+30"].tags["frostline.diverged"] == "true"
    assert "frostline.diverged" not in runs["0.002"].tags
    assert "checkpoints" not in store_of(place).list_artifacts(runs["1e+30"].run_id)


def test_a_config_that_stands_twice_is_trained_once(
    ended: subprocess.CompletedProcess[str],
) -> None:
    assert "asked for twice, run once: lr=0.006" in ended.stderr
    assert "7 jobs, 0 of them finished already" in ended.stderr


def test_alone_and_as_the_last_of_seven_a_job_gives_the_same_numbers(
    place: Path, runs: dict[str, RunRecord], tmp_path: Path, empty_store_file: Path
) -> None:
    alone = make_place(tmp_path, empty_store_file)
    ended = call(alone, *TRAINING, "lr=0.006", "batch_size=16")
    assert ended.returncode == 0, ended.stderr
    (run,) = jobs_of(alone)
    assert_same_training((place, runs["0.006"]), (alone, run))


def test_the_parent_holds_plan_table_and_totals(place: Path, runs: dict[str, RunRecord]) -> None:
    store = store_of(place)
    (parent,) = store.find_runs({"frostline.kind": "sweep"})
    totals = {k: v for k, v in parent.tags.items() if k.startswith("frostline.total.")}
    assert totals["frostline.total.jobs"] == "7"
    assert totals["frostline.total.jobs_failed"] == "5"
    assert parent.status == "FAILED"
    assert parent.tags["frostline.failure"] == "5 of 7 jobs have no result"
    assert {run.parent_run_id for run in runs.values()} == {parent.run_id}
    assert {"plan.json", "outcome.md"} <= set(store.list_artifacts(parent.run_id))


def test_the_same_command_again_runs_what_is_missing(
    place: Path, runs: dict[str, RunRecord], again: subprocess.CompletedProcess[str]
) -> None:
    assert again.returncode == 1, again.stderr  # the hopeless learning rate is still hopeless
    # The one that was killed, and the one whose memory ran out: both left a checkpoint.
    assert "7 jobs, 2 of them finished already, 2 half done" in again.stderr
    now = jobs_of(place)
    finished = [run for run in now if run.status == "FINISHED"]
    assert sorted(run.params["lr"] for run in finished) == [
        "0.001",
        "0.002",
        "0.003",
        "0.004",
        "0.005",
        "0.006",
    ]
    assert again.stdout.count("reused") == 2


def test_the_killed_job_goes_on_in_its_own_run(
    place: Path, runs: dict[str, RunRecord], again: subprocess.CompletedProcess[str]
) -> None:
    """It was killed in its second epoch; the first is not trained twice."""
    store = store_of(place)
    run = store.get_run(runs["0.004"].run_id)
    assert run.status == "FINISHED"
    assert "frostline.failure" not in run.tags
    assert [p.step for p in store.metric_history(run.run_id, "train/loss")] == [0, 1, 2]
    assert "goes on where it was interrupted" in again.stderr


def test_a_report_that_cannot_be_written_costs_no_run(here: Path) -> None:
    ended = call(here, "-m", *TRAINING, "epochs=1", "report=true", faults="fail@report")
    assert ended.returncode == 1
    assert "FAILED  the report: " in ended.stdout
    assert "No space left on device" in ended.stdout
    assert "python -m src.report --sweep " in ended.stdout
    (run,) = jobs_of(here)
    assert run.status == "FINISHED"
