"""Rows 12, 13 and 15: two sweeps start in the same moment, on a store that does not exist yet."""

from pathlib import Path

import pytest

from tests.faults.conftest import (
    LONGEST_S,
    TRAINING,
    Started,
    curve,
    jobs_of,
    store_of,
)
from tests.integration.conftest import draw_classes


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Started], list[int]]:
    place = tmp_path_factory.mktemp("both")
    draw_classes(place / "photos", per_class=16)
    commands = [
        Started(place, "-m", *TRAINING, f"lr={values}") for values in ("0.001,0.002", "0.002,0.003")
    ]
    codes = [command.process.wait(LONGEST_S) for command in commands]
    for command in commands:
        command.end()
    return place, commands, codes


def test_both_succeed_and_the_common_job_is_trained_once(
    both: tuple[Path, list[Started], list[int]],
) -> None:
    place, commands, codes = both
    assert codes == [0, 0], "\n".join(command.text for command in commands)
    runs = jobs_of(place)
    assert sorted((run.params["lr"], run.status) for run in runs) == [
        ("0.001", "FINISHED"),
        ("0.002", "FINISHED"),
        ("0.003", "FINISHED"),
    ]


def test_no_metric_is_lost(both: tuple[Path, list[Started], list[int]]) -> None:
    place, _, _ = both
    for run in jobs_of(place):
        for metric in ("train/loss", "val/loss", "val/acc_micro", "val/f1_macro"):
            assert [step for step, _ in curve(place, run, metric)] == [0, 1, 2]
        assert {"test/f1_macro", "val_best/f1_macro", "time/train_s"} <= set(run.metrics)


def test_each_has_its_own_folder_and_parent(both: tuple[Path, list[Started], list[int]]) -> None:
    place, _, _ = both
    assert len(list(place.glob("multirun/*/*/multirun.yaml"))) == 2
    parents = store_of(place).find_runs({"frostline.kind": "sweep"})
    assert [parent.status for parent in parents] == ["FINISHED", "FINISHED"]
    assert [parent.tags["frostline.total.jobs"] for parent in parents] == ["2", "2"]


def test_the_best_of_a_sweep_counts_jobs_that_another_has_trained(
    both: tuple[Path, list[Started], list[int]],
) -> None:
    from frostline.tracking.lookup import jobs_of_sweep

    place, _, _ = both
    store = store_of(place)
    for parent in store.find_runs({"frostline.kind": "sweep"}):
        jobs = jobs_of_sweep(store, parent.tags["frostline.sweep_id"])
        assert len(jobs) == 2
        assert "0.002" in {job.params["lr"] for job in jobs}
