"""Rows 2, 16, 25 and 28: what is refused before the first job, and a sweep that gives up early."""

import socket
from pathlib import Path

import pytest

from tests.faults.conftest import NET, TRAINING, call, jobs_of, make_place
from tests.integration.conftest import draw_classes, start


def test_every_impossible_cell_is_named_before_the_first_job(tmp_path: Path) -> None:
    draw_classes(tmp_path / "photos", per_class=16)
    cells = ("backbone=test_resnet,test_vit", "freeze=2,9", "image_size=32,8")
    ended = call(tmp_path, "-m", *NET, *cells)
    assert ended.returncode == 2
    assert "freeze=9" in ended.stderr
    assert "test_resnet" in ended.stderr
    assert "test_vit" in ended.stderr
    assert "starts" not in ended.stderr
    assert not (tmp_path / "mlflow.db").exists()


def test_weights_that_cannot_be_had_are_one_error_before_the_first_job(tmp_path: Path) -> None:
    draw_classes(tmp_path / "photos", per_class=16)
    ended = call(
        tmp_path, "-m", *NET, "backbone=resnet50,vgg16", "weights=pretrained", "freeze=0,2"
    )
    assert ended.returncode == 2
    assert "resnet50" in ended.stderr
    assert "vgg16" in ended.stderr
    assert "weights=random" in ended.stderr
    assert "starts" not in ended.stderr
    assert not (tmp_path / "mlflow.db").exists()


def test_a_dry_run_shows_the_plan_and_makes_nothing(tmp_path: Path) -> None:
    draw_classes(tmp_path / "photos", per_class=16)
    ended = call(tmp_path, "-m", *NET, "freeze=0,2,2", "seed=0,1", "dry_run=true")
    assert ended.returncode == 0, ended.stderr
    lines = ended.stderr.splitlines()
    assert "4 jobs, 0 of them finished already" in lines
    assert "  asked for twice, run once: freeze=2 seed=0" in lines
    same = "the same data, backbone, depth and image size"
    assert f"  time: unknown, since no job of {same} ran here before" in lines
    assert [line for line in lines if line.startswith("  to run")] == [
        "  to run  freeze=0 seed=0",
        "  to run  freeze=0 seed=1",
        "  to run  freeze=2 seed=0",
        "  to run  freeze=2 seed=1",
    ]
    # 372,688 parameters and the statistics of BatchNorm without the head, four bytes each.
    assert "about 5.7 MiB of checkpoints stay" in ended.stderr
    assert not (tmp_path / "mlflow.db").exists()
    assert not (tmp_path / "multirun").exists()


@pytest.mark.parametrize("words", [["-m", "freeze=0,2"], ["freeze=0"]], ids=str)
def test_a_tracking_server_that_is_down_is_told_before_anything_is_loaded(
    words: list[str], tmp_path: Path
) -> None:
    draw_classes(tmp_path / "photos", per_class=16)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ended = call(tmp_path, *words, *NET, f"tracking.uri=http://127.0.0.1:{port}")
    assert ended.returncode == 2
    assert "does not answer" in ended.stderr
    assert "tracking.offline=true" in ended.stderr
    assert "checking" not in ended.stderr
    assert "images:" not in ended.stderr


def test_fail_fast_stops_after_so_many_failures(tmp_path: Path, empty_store_file: Path) -> None:
    place = make_place(tmp_path, empty_store_file)
    faults = "raise@0.001 raise@0.002 raise@0.003"
    ended = call(place, "-m", *TRAINING, "lr=0.001,0.002,0.003,0.004", "fail_fast=2", faults=faults)
    assert ended.returncode == 1
    assert [run.status for run in jobs_of(place)] == ["FAILED", "FAILED"]
    assert ended.stdout.count("FAILED  ") == 2
    assert ended.stdout.count("NOT RUN ") == 2
    assert "run what is missing with:  python -m src.train -m" in ended.stdout


@pytest.mark.parametrize(
    "words",
    [["freez=0"], ["backbone=resnte50"], ["freeze=9"], ["-m", "freeze=0,9"], ["data.path=nosuch"],
     ["-m", "seed=0,1", "dry_run=true"], ["dry_run=true"], ["-m", "freeze=0,2", "lr=fast"]],
    ids=" ".join,
)  # fmt: skip
def test_mistakes_and_dry_runs_leave_nothing(words: list[str], tmp_path: Path) -> None:
    draw_classes(tmp_path / "photos", per_class=16)
    ended = call(tmp_path, *NET, *words)
    assert ended.returncode == (0 if "dry_run=true" in words else 2), ended.stderr
    assert {path.name for path in tmp_path.iterdir()} <= {"cache", "photos"}, ended.stderr


@pytest.mark.parametrize(
    "words",
    [["report"], ["evaluate", "best:latest"], ["predict", "best:latest", "photos"],
     ["export", "best:latest", "--format", "onnx"], ["tracking", "check"]],
    ids=" ".join,
)  # fmt: skip
def test_a_command_that_reads_makes_no_store_in_a_mistaken_folder(
    words: list[str], tmp_path: Path
) -> None:
    draw_classes(tmp_path / "photos", per_class=1)
    ended = start(tmp_path, *words[1:], module=f"src.{words[0]}")
    assert ended.returncode == 2
    assert f"there is no store at sqlite:///{tmp_path}/mlflow.db" in ended.stderr
    assert "--uri sqlite:////PATH/mlflow.db" in ended.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]
