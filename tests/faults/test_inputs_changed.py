"""Data and weights that change while a sweep runs: it stops, and no run stands for what it is not.

The change is made while a job stands still, so that it falls between two jobs.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from frostline.data.sources.folder import load_folder
from tests.faults.conftest import LONGEST_S, TRAINING, Started, call, jobs_of
from tests.integration.conftest import draw_classes

SWEEP = ("-m", *TRAINING, "epochs=2", "data.split_seed=0", "lr=0.001,0.002,0.003", "weights=w.pth")


def other_images(folder: Path) -> None:
    for number in range(5):
        Image.new("RGB", (32, 32), (number, 200, 3)).save(folder / f"photos/rising/{number}.png")


def other_weights(folder: Path) -> None:
    shutil.copyfile(folder / "other.pth", folder / "w.pth")


def save_weights(path: Path, seed: int) -> None:
    import timm
    import torch

    torch.manual_seed(seed)
    torch.save(timm.create_model("test_resnet").state_dict(), path)


def changed_while_held(
    here: Path, started: list[Started], lr: str, change: Callable[[Path], None]
) -> tuple[int, str]:
    """Run the sweep and change its inputs during one job; exit code and output."""
    sweep = Started(here, *SWEEP, faults=f"hold@{lr}")
    started.append(sweep)
    sweep.paused_job()
    change(here)
    (here / "mark").unlink()
    return sweep.process.wait(LONGEST_S), sweep.text


def test_a_sweep_whose_inputs_change_stops_and_is_finished_once_they_are_back(
    here: Path, started: list[Started]
) -> None:
    save_weights(here / "w.pth", 0)
    save_weights(here / "other.pth", 1)
    shutil.copytree(here / "photos", here / "kept")
    shutil.copyfile(here / "w.pth", here / "kept.pth")

    code, said = changed_while_held(here, started, "0.001", other_images)
    assert code == 1, said
    assert (
        "the data set photos has changed since the sweep was planned: 5 of 32 files differ" in said
    )
    assert "'rising/0.png'" in said
    assert "NOT RUN test_resnet-freeze0-seed0-lr=0.003: the sweep stopped" in said
    assert states(here) == {"0.001": ["FINISHED"], "0.002": ["FAILED"]}

    shutil.rmtree(here / "photos")
    (here / "kept").rename(here / "photos")
    code, said = changed_while_held(here, started, "0.002", other_weights)
    assert code == 1, said
    assert "weights=w.pth of test_resnet: the file has changed" in said
    assert states(here) == {
        "0.001": ["FINISHED"],
        "0.002": ["FAILED", "FINISHED"],
        "0.003": ["FAILED"],
    }

    shutil.copyfile(here / "kept.pth", here / "w.pth")
    ended = call(here, *SWEEP)
    assert ended.returncode == 0, ended.stderr
    finished = [run for run in jobs_of(here) if run.status == "FINISHED"]
    assert sorted(run.params["lr"] for run in finished) == ["0.001", "0.002", "0.003"]
    for tag in ("data_fingerprint", "split_digest", "weights_file_digest"):
        assert len({run.tags[f"frostline.{tag}"] for run in finished}) == 1


def test_a_link_that_points_elsewhere_stops_the_sweep(here: Path, started: list[Started]) -> None:
    save_weights(here / "w.pth", 0)
    (here / "photos").rename(here / "one")
    draw_classes(here / "two", per_class=16, seed=1)
    (here / "photos").symlink_to("one")

    def point_elsewhere(folder: Path) -> None:
        (folder / "photos").unlink()
        (folder / "photos").symlink_to("two")

    code, said = changed_while_held(here, started, "0.001", point_elsewhere)
    assert code == 1, said
    assert "has changed since the sweep was planned: 32 of 32 files differ" in said
    assert states(here) == {"0.001": ["FINISHED"], "0.002": ["FAILED"]}
    (run,) = [run for run in jobs_of(here) if run.status == "FINISHED"]
    one, two = (load_folder(str(here / name), on_bad_image="error") for name in ("one", "two"))
    assert run.tags["frostline.data_fingerprint"] == one.fingerprint != two.fingerprint


def states(here: Path) -> dict[str, list[str]]:
    """Learning rate to the states of its runs."""
    found: dict[str, list[str]] = {}
    for run in jobs_of(here):
        found.setdefault(run.params.get("lr", run.name.rpartition("=")[2]), []).append(run.status)
    return {lr: sorted(each) for lr, each in sorted(found.items())}
