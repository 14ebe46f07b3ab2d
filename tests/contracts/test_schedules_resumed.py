"""A run that is interrupted before, at or after an unfreeze is the run that nobody interrupts."""

from pathlib import Path

import pytest

from tests.contracts.scheduled import Ran, assert_equal_state, ran, settings


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROSTLINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FROSTLINE_HOME", str(tmp_path / "home"))


_whole: dict[str, Ran] = {}


@pytest.mark.parametrize("stop_at", [1, 2, 3])
@pytest.mark.parametrize(
    ("backbone", "freeze", "optimizer"),
    [
        ("test_resnet", 3, "adamw"),
        pytest.param("test_vit", "blocks.1", "adamw", marks=pytest.mark.slow),
        pytest.param("test_resnet", 3, "sgd", marks=pytest.mark.slow),
        pytest.param("test_vit", "blocks.1", "adam", marks=pytest.mark.slow),
    ],
)
def test_resumed_before_at_and_after_an_unfreeze_it_is_the_same_run(
    backbone: str,
    freeze: int | str,
    optimizer: str,
    stop_at: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = settings(
        f"backbone={backbone}", f"freeze={freeze}", "schedule=head_first", "epochs=4",
        f"optimizer={optimizer}", "optimizer.layer_decay=0.7", "lr_schedule=plateau",
        "lr_schedule.patience_epochs=0", "lr_schedule.factor=0.5", "lr_schedule.warmup_frac=0.1",
        "reuse=off",
    )  # fmt: skip
    key = given.model_dump_json()
    if key not in _whole:
        _whole[key] = ran(given, tmp_path / "whole", monkeypatch)
    whole = _whole[key]
    first = ran(given, tmp_path / "again", monkeypatch, stop_at=stop_at)
    assert sorted(first.epochs) == list(range(stop_at))
    rest = ran(given, tmp_path / "again", monkeypatch)
    assert sorted(rest.epochs) == list(range(stop_at, 4))
    for number in range(4):
        one, other = whole.epochs[number], (first.epochs | rest.epochs)[number]
        assert (one.trains, one.awake, one.rates) == (other.trains, other.awake, other.rates)
        assert_equal_state(one.state, other.state)
    for part in ("state_dict", "optimizer_states", "lr_schedulers"):
        assert_equal_state(whole.last[part], rest.last[part])
    for name in whole.figures.keys() - {"time/train_s", "time/alone_s"}:
        assert whole.figures[name] == rest.figures[name]


PATIENT = (
    "backbone=test_resnet", "freeze=3", "schedule=head_first", "schedule.head_epochs=5",
    "schedule.patience_epochs=1", "epochs=6", "callbacks.monitor=val/acc_micro",
    "lr_schedule=plateau", "lr_schedule.patience_epochs=0",
    "lr_schedule.warmup_frac=0.1", "schedule.lr_factor=0.3",
)  # fmt: skip


@pytest.mark.parametrize("extra", [(), ("ema=0.9",), ("reuse=off",)])
@pytest.mark.parametrize("stop_at", [1, 2, 3])
def test_a_phase_that_ends_by_patience_ends_there_however_often_it_is_interrupted(
    stop_at: int, extra: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = settings(*PATIENT, *extra)
    key = given.model_dump_json()
    if key not in _whole:
        _whole[key] = ran(given, tmp_path / "whole", monkeypatch)
    whole = _whole[key]
    frozen = whole.record.curve("train/frozen_stages")
    first = frozen.index(3.0)  # of the last phase
    assert 2 <= first < 5, f"the scores of this test no longer end the phase early: {frozen}"
    assert frozen == [5.0] * first + [3.0] * (6 - first)
    assert whole.record.tags["frostline.phases"] == (
        f"epoch 1-{first} (of at most 5): freeze=all; epoch {first + 1}-6: freeze=3, lr x 0.3"
    )
    scores = whole.record.curve("val/acc_micro")
    assert scores[first - 1] <= max(scores[: first - 1])
    interrupted = ran(given, tmp_path / "again", monkeypatch, stop_at=stop_at)
    rest = ran(given, tmp_path / "again", monkeypatch)
    assert sorted(rest.epochs) == list(range(stop_at, 6))
    for number in range(6):
        one, other = whole.epochs[number], (interrupted.epochs | rest.epochs)[number]
        assert (one.trains, one.awake, one.rates) == (other.trains, other.awake, other.rates)
        assert_equal_state(one.state, other.state)
    for part in ("state_dict", "optimizer_states", "lr_schedulers"):
        assert_equal_state(whole.last[part], rest.last[part])
    assert rest.record.tags["frostline.phases"] == whole.record.tags["frostline.phases"]
    for name in whole.figures.keys() - {"time/train_s", "time/alone_s"}:
        assert whole.figures[name] == rest.figures[name]
