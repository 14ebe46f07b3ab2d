"""`trainer=ddp` on two processes of the CPU: the figures of one process, one run in MLflow."""

from pathlib import Path

import pytest

from frostline.tracking.records import RunRecord
from tests.faults.conftest import NET, call, curve, jobs_of, make_place

# No trainable BatchNorm: on the CPU its statistics are those of a process's part of the batch.
TRAINING = (*NET, "epochs=2", "batch_size=6", "lr=0.001", "freeze=0,all")
DDP = ("trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2", "trainer.threads=1")


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


@pytest.mark.slow
def test_each_distributed_job_has_one_run(runs: tuple[Path, list[RunRecord]]) -> None:
    _, records = runs
    assert [run.status for run in records] == ["FINISHED"] * 4


def test_several_devices_without_ddp_are_refused(tmp_path: Path) -> None:
    ended = call(tmp_path, "trainer.devices=2")
    assert ended.returncode == 2
    assert "trainer.devices > 1 needs trainer=ddp" in ended.stderr
