"""Own callbacks and loggers of Lightning."""

import csv
from pathlib import Path
from types import SimpleNamespace

import pytest

from frostline.config.own_part import OwnItem
from frostline.plugins.part import PluginError
from frostline.training.epoch_logs import LoggerFeed, own_callbacks

LOGGERS = "pytorch_lightning.loggers"


def part(target: str, **options: object) -> OwnItem:
    return OwnItem.model_validate({"_target_": target, **options})


def test_a_logger_gets_every_epoch_once_when_the_training_ends(tmp_path: Path) -> None:
    history = SimpleNamespace(values={"val/loss": {0: 2.0, 1: 1.5}, "train/loss": {1: 0.5}})
    logger = part(f"{LOGGERS}.CSVLogger", save_dir=str(tmp_path), name="", version="")
    LoggerFeed([logger], history, {"lr": 0.1}).on_fit_end(None, None)  # type: ignore[arg-type]
    rows = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    assert [(row["step"], row["val/loss"], row["train/loss"]) for row in rows] == [
        ("0", "2.0", ""),
        ("1", "1.5", "0.5"),
    ]
    assert "lr: 0.1" in (tmp_path / "hparams.yaml").read_text()


def test_what_is_no_callback_or_logger_is_refused() -> None:
    (timer,) = own_callbacks([part("pytorch_lightning.callbacks.Timer", duration=None)])
    assert type(timer).__name__ == "Timer"
    with pytest.raises(PluginError, match=r"callbacks\.own: fractions\.Fraction made a Fraction"):
        own_callbacks([part("fractions.Fraction")])
