"""`trainer=ddp` on two processes of the CPU: the figures of one process, one run in MLflow."""

from pathlib import Path

import pytest

from frostline.tracking.records import RunRecord
from tests.faults.conftest import NET, by_lr, call, curve, jobs_of, make_place

# No trainable BatchNorm: on the CPU its statistics are those of a process's part of the batch.
TRAINING = (*NET, "epochs=2", "batch_size=6", "lr=0.001", "freeze=0,all")
DDP = ("trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2", "trainer.threads=1")

STRUCK = (*TRAINING, "backbone=test_vit", "freeze=0", "lr=0.001,1e30", *DDP)


@pytest.fixture(scope="module")
def runs(
    tmp_path_factory: pytest.TempPathFactory, empty_store_file: Path
) -> tuple[Path, list[RunRecord]]:
    place = make_place(tmp_path_factory.mktemp("ddp"), empty_store_file)
    one = call(place, "-m", *TRAINING, "backbone=test_vit", "trainer=cpu", "trainer.threads=1")
    assert one.returncode == 0, one.stderr
    two = call(place, "-m", *TRAINING, "backbone=test_vit", *DDP)
    assert two.returncode == 0, two.stderr
    return place, jobs_of(place)


@pytest.mark.slow
@pytest.mark.parametrize("freeze", ["0", "all"])
def test_two_processes_give_the_figures_of_one(
    freeze: str, runs: tuple[Path, list[RunRecord]]
) -> None:
    place, records = runs
    two, one = (run for run in records if run.params["freeze"] == freeze)
    assert two.tags["frostline.job_digest"] != one.tags["frostline.job_digest"]
    for metric in ("train/loss", "val/loss", "test/loss"):
        figures = [[value for _, value in curve(place, run, metric)] for run in (one, two)]
        assert figures[1] == pytest.approx(figures[0], rel=1e-4)
    for metric in ("val_best/acc_micro", "test/f1_macro"):
        assert two.metrics[metric] == pytest.approx(one.metrics[metric])


@pytest.fixture(scope="module")
def struck(
    tmp_path_factory: pytest.TempPathFactory, empty_store_file: Path
) -> tuple[Path, dict[str, RunRecord], str]:
    """A sweep of which one job loses a process, and the other one learns no more."""
    place = make_place(tmp_path_factory.mktemp("struck"), empty_store_file)
    ended = call(place, "-m", *STRUCK, faults="kill-rank@0.001")
    assert ended.returncode == 1, ended.stderr
    return place, by_lr(jobs_of(place)), ended.stdout + ended.stderr


@pytest.mark.slow
def test_a_job_of_which_a_process_is_killed_goes_on_in_its_run(
    struck: tuple[Path, dict[str, RunRecord], str], runs: tuple[Path, list[RunRecord]]
) -> None:
    place, failed, said = struck
    killed = failed["0.001"]
    assert killed.status == "FAILED"
    assert "another process of the run was killed" in said
    assert killed.tags["frostline.resumable"] == "true"
    again = call(place, "-m", *STRUCK)
    assert again.returncode == 1, again.stderr  # the other job has no result
    resumed = by_lr(jobs_of(place))["0.001"]
    assert (resumed.status, resumed.run_id) == ("FINISHED", killed.run_id)
    undisturbed = next(run for run in runs[1] if run.params["freeze"] == "0")
    for metric in ("train/loss", "val/loss", "test/loss"):
        assert curve(place, resumed, metric) == curve(runs[0], undisturbed, metric)


@pytest.mark.slow
def test_a_loss_that_is_no_number_is_named_as_in_one_process(
    struck: tuple[Path, dict[str, RunRecord], str],
) -> None:
    """All processes raise; were it taken for the failure of another, tuning would end by it."""
    run = struck[1]["1e+30"]
    assert run.tags["frostline.diverged"] == "true"
    assert run.tags["frostline.failure"].startswith("the training loss became")


@pytest.mark.slow
def test_a_spent_budget_pauses_all_processes(tmp_path: Path, empty_store_file: Path) -> None:
    """The time is set forward for each process that knows the deadline."""
    place = make_place(tmp_path, empty_store_file)
    words = ("-m", *TRAINING, "backbone=test_vit", "freeze=0", "budget=10h", *DDP)
    spent = call(place, *words, faults="deadline@any")
    (run,) = jobs_of(place)
    assert run.status == "SCHEDULED", spent.stderr
    assert "the budget was spent" in run.tags["frostline.waits"]
    again = call(place, *words)
    assert again.returncode == 0, again.stderr
    (whole,) = jobs_of(place)
    assert (whole.status, whole.run_id) == ("FINISHED", run.run_id)


@pytest.mark.slow
def test_each_distributed_job_has_one_run(runs: tuple[Path, list[RunRecord]]) -> None:
    _, records = runs
    assert [run.status for run in records] == ["FINISHED"] * 4


def test_several_devices_without_ddp_are_refused(tmp_path: Path) -> None:
    ended = call(tmp_path, "trainer.devices=2")
    assert ended.returncode == 2
    assert "trainer.devices > 1 needs trainer=ddp" in ended.stderr
