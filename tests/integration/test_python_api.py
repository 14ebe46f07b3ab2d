"""Frostline from Python: the same sweep as the command, its table, its model, its errors."""

import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import frostline
from frostline import api
from frostline.errors import FrostlineError
from tests.integration.conftest import environment, start

TINY = {
    "data": "photos", "backbone": "test_resnet", "weights": "random", "image_size": 32, "epochs": 2,
    "lr": 0.01, "trainer__threads": 1, "report": False,
}  # fmt: skip


@pytest.fixture
def here(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(place)
    for name, value in environment(place).items():
        monkeypatch.setenv(name, value)
    return place


def test_a_sweep_its_table_and_its_model(here: Path) -> None:
    said: list[str] = []
    swept = frostline.sweep(**TINY, freeze=["all", 2], seed=range(2), progress=said.append)
    assert any("4 jobs" in line for line in said)
    assert not any("\x1b" in line for line in said)
    table = swept.table()
    assert sorted(zip(table["freeze"].astype(str), table["seed"], strict=True)) == [
        ("2", 0), ("2", 1), ("all", 0), ("all", 1),
    ]  # fmt: skip
    assert set(table["state"]) == {"done"}
    assert table["val_best/f1_macro"].is_monotonic_decreasing
    everywhere = api.runs()
    assert set(table["run_id"]) <= set(everywhere["run_id"])
    model = swept.best()
    assert frostline.load is api.load
    with pytest.raises(AttributeError, match="no attribute 'lead'"):
        frostline.lead  # noqa: B018
    assert model.classes == ("falling", "rising")
    files = [here / "photos" / name / "0.png" for name in model.classes]
    by_file = model(files, top=2)
    by_picture = model([Image.open(file) for file in files], top=2)
    columns = ["class", "probability", "class_2", "probability_2"]
    assert by_file[columns].equals(by_picture[columns])
    assert np.allclose(by_file["probability"] + by_file["probability_2"], 1)
    assert list(by_picture["file"]) == [str(file) for file in files]
    # The command finds what the call has trained, and the other way round.
    words = [
        "data=folder", "data.path=photos", "backbone=test_resnet", "weights=random",
        "image_size=32", "epochs=2", "lr=0.01", "trainer.threads=1", "report=false",
    ]  # fmt: skip
    again = start(here, "-m", *words, "freeze=all,2", "seed=0,1")
    assert "4 jobs, 4 of them finished" in again.stderr
    assert f"best:{swept.sweep_id}" in again.stdout
    once_more = api.sweep(**TINY, freeze=["all", 2], seed=[0, 1], progress=None)
    assert once_more.sweep_id == swept.sweep_id
    assert set(once_more.table()["state"]) == {"reused"}


def test_an_error_is_the_commands_own(here: Path) -> None:
    with pytest.raises(FrostlineError, match=r"(?s)lrr.*there is no such key"):
        api.sweep(**TINY, lrr=3, progress=None)
    with pytest.raises(FrostlineError, match="no/such/place"):
        api.sweep(**{**TINY, "data": "no/such/place"}, progress=None)


def test_a_job_that_fails_is_a_row_with_its_reason(here: Path) -> None:
    swept = api.sweep(**{**TINY, "lr": [1e30, 0.02]}, freeze=0, progress=None)
    table = swept.table().set_index("lr")
    assert table.loc[0.02, "state"] == "done"
    failed = table[table["state"] == "failed"]
    assert len(failed) == 1
    assert "lower lr" in failed["reason"].iloc[0]


def test_interrupted_it_ends_the_sweep_and_the_same_call_goes_on(here: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)

    def interrupt(line: str) -> None:
        if "epoch 1/" in line:
            raise KeyboardInterrupt  # as the stop button of a notebook does, whatever runs then

    call = {**TINY, "epochs": 6}
    with pytest.raises(KeyboardInterrupt):
        api.sweep(**call, freeze=[0, 1], progress=interrupt)
    assert "RUNNING" not in set(api.runs()["state"])
    swept = api.sweep(**call, freeze=[0, 1], progress=None)
    # A job that had ended before the interrupt is not run again.
    assert set(swept.table()["state"]) <= {"done", "reused"}
    assert signal.getsignal(signal.SIGTERM) is before
