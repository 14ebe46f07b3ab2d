"""Logs for other tools: the rows of the CSV file, and TensorBoard only where it is installed."""

import csv
import importlib.util
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from experiments.tools.study_jobs import compose_study
from frostline.config.read import read_settings
from frostline.config.schema import CallbackSettings
from frostline.errors import ConfigError
from frostline.training.epoch_logs import epoch_logs
from frostline.training.history import History

NONE: dict[str, list[str]] = {"own": [], "loggers": []}


def choice(**values: bool) -> CallbackSettings:
    plain = {"monitor": "val/loss", "mode": "min", "patience_epochs": 3}
    return CallbackSettings.model_validate(
        {**plain, "csv": False, "tensorboard": False, **NONE, **values}
    )


def run_epochs(history: History, callbacks: list, losses: dict[int, float]) -> None:
    for epoch, loss in losses.items():
        trainer = SimpleNamespace(
            current_epoch=epoch, callback_metrics={"train/loss": torch.tensor(loss)}
        )
        for callback in [history, *callbacks]:
            callback.on_train_epoch_end(trainer, None)


def test_the_csv_has_a_line_an_epoch_also_after_an_interruption(tmp_path: Path) -> None:
    first = History()
    run_epochs(first, epoch_logs(choice(csv=True), tmp_path / "one", first, {}), {0: 2.0, 1: 1.5})
    resumed = History()
    resumed.load_state_dict(first.state_dict())
    run_epochs(resumed, epoch_logs(choice(csv=True), tmp_path / "two", resumed, {}), {2: 1.25})
    with (tmp_path / "two" / "epochs.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert lines == [
        {"epoch": "0", "train/loss": "2.0"},
        {"epoch": "1", "train/loss": "1.5"},
        {"epoch": "2", "train/loss": "1.25"},
    ]


def test_nothing_is_written_unasked(tmp_path: Path) -> None:
    assert epoch_logs(choice(), tmp_path, History(), {}) == []


def test_tensorboard_is_refused_where_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    job = compose_study("vgg16_two_phase", ["seed=0"]).jobs[0].settings
    values = job.model_dump(mode="json")
    values["callbacks"]["tensorboard"] = True
    monkeypatch.setattr("frostline.config.read.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"(?s)TensorBoard is not installed.*pip install"):
        read_settings(values)


@pytest.mark.skipif(importlib.util.find_spec("tensorboard") is None, reason="not installed")
def test_tensorboard_gets_the_whole_history(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    history = History()
    (log,) = epoch_logs(choice(tensorboard=True), tmp_path, history, {})
    run_epochs(history, [], {0: 2.0, 1: 1.5})
    log.on_fit_end(None, None)
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("train/loss")] == [(0, 2.0), (1, 1.5)]
