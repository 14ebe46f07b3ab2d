"""Averaged weights: the formula, what is scored and kept, and what they leave as it is."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from frostline.backbones.averaged_tensors import AveragedTensors
from frostline.config.identity import _values
from frostline.config.tune_grid import solves_head
from frostline.errors import ConfigError
from frostline.sweeps.job_record import swept_params
from frostline.training.assembly import assemble
from frostline.training.averaging import AverageWeights
from frostline.training.checkpoint import load_checkpoint
from frostline.training.group_key import group_key
from tests.contracts.scheduled import Ran, assert_equal_state, ran, settings

DECAY = 0.8


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROSTLINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FROSTLINE_HOME", str(tmp_path / "home"))


def by_hand(steps: list[Tensor], decay: float) -> Tensor:
    """The average of a tensor's values after each step."""
    average = steps[0].double()
    for t, value in enumerate(steps[1:], start=2):
        now = min(decay, 1 - t ** (-2 / 3))
        average = now * average + (1 - now) * value.double()
    return average


def test_the_formula() -> None:
    torch.manual_seed(0)
    live = {"a.weight": torch.randn(3, 4), "a.seen": torch.tensor(0), "same": torch.randn(5)}
    same = live["same"].clone()
    average = AveragedTensors(live, DECAY)
    seen = []
    for step in range(1, 12):
        live["a.weight"].add_(torch.randn(3, 4))
        live["a.seen"].add_(1)
        average.update(step)
        seen.append(live["a.weight"].clone())
        expected = by_hand(seen, DECAY)
        assert torch.allclose(average.tensors["a.weight"].double(), expected, atol=1e-6), step
    assert int(average.tensors["a.seen"]) == 11
    assert torch.equal(average.tensors["same"], same)  # what does not move is not rounded


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> dict[int, dict[str, Tensor]]:
    """The weights after each step of the optimiser, by its number."""
    steps: dict[int, dict[str, Tensor]] = {}
    end = AverageWeights.on_train_batch_end

    def at_end(self: Any, trainer: Any, task: Any, *rest: Any) -> None:
        end(self, trainer, task, *rest)
        steps[trainer.global_step] = {k: v.clone() for k, v in task.state_dict().items()}

    monkeypatch.setattr(AverageWeights, "on_train_batch_end", at_end)
    return steps


def test_the_average_is_validated_kept_and_tested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watched: dict[int, dict[str, Tensor]]
) -> None:
    """BatchNorm that trains: its statistics are averaged with the weights they belong to."""
    given = settings("backbone=test_resnet", "freeze=2", "epochs=4", "reuse=off", "lr=5e-3")
    averaged = ran(given.model_copy(update={"ema": DECAY}), tmp_path / "ema", monkeypatch)
    plain = ran(given, tmp_path / "plain", monkeypatch)
    # Training itself is the same, to the last bit.
    assert averaged.record.curve("train/loss") == plain.record.curve("train/loss")
    for number in range(4):
        assert_equal_state(averaged.epochs[number].state, plain.epochs[number].state)
    assert averaged.record.curve("val/loss") != plain.record.curve("val/loss")

    best = load_checkpoint(averaged.work / "best.ckpt")
    per_epoch = len(watched) // 4
    steps = [watched[step] for step in range(1, per_epoch * (best["epoch"] + 1) + 1)]
    frozen = assemble(given, lambda **_: None).backbone.depth(2).frozen_tensors
    names = {name for name in best["state_dict"] if name.startswith(("backbone.", "head."))}
    assert {"running_mean", "running_var"} <= {name.rpartition(".")[2] for name in names}
    for name in sorted(names):
        kept, values = best["state_dict"][name], [state[name] for state in steps]
        if name.removeprefix("backbone.model.") in frozen:
            assert torch.equal(kept, averaged.start[name.removeprefix("backbone.model.")])
        elif kept.is_floating_point():
            assert torch.allclose(kept.double(), by_hand(values, DECAY), atol=1e-5), name
        else:
            assert torch.equal(kept, values[-1])
    # The score that chose the epoch is that of the weights that are kept.
    scores = averaged.record.curve("val/f1_macro")
    assert averaged.figures["val_best/f1_macro"] == pytest.approx(max(scores), abs=1e-12)
    losses = averaged.record.curve("val/loss")
    assert averaged.figures["val_best/loss"] == pytest.approx(losses[best["epoch"]], rel=1e-6)


_whole: dict[str, Ran] = {}


@pytest.mark.parametrize("stop_at", [1, 2, 3])
def test_a_resumed_run_is_the_same_to_the_last_bit(
    stop_at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = settings(
        "backbone=test_resnet", "freeze=3", "schedule=head_first", "epochs=4", "ema=0.9",
        "schedule.thawed_bn=train", "lr=5e-3", "lr_schedule=plateau",
    )  # fmt: skip
    if not _whole:
        _whole["run"] = ran(given, tmp_path / "whole", monkeypatch)
    whole = _whole["run"]
    first = ran(given, tmp_path / "again", monkeypatch, stop_at=stop_at)
    rest = ran(given, tmp_path / "again", monkeypatch)
    assert sorted(first.epochs) == list(range(stop_at))
    for part in ("state_dict", "optimizer_states", "lr_schedulers", "callbacks"):
        one, other = whole.last[part], rest.last[part]
        if part == "callbacks":
            key = next(key for key in one if key.startswith("AverageWeights"))
            one, other = one[key], other[key]
            assert len(one["average"]) > 10
        assert_equal_state(one, other)
    best = (load_checkpoint(each.work / "best.ckpt") for each in (whole, rest))
    assert_equal_state(*(each["state_dict"] for each in best))
    for name in whole.figures.keys() - {"time/train_s", "time/alone_s"}:
        assert whole.figures[name] == rest.figures[name]


def test_stored_outputs_give_the_numbers_of_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("backbone=test_vit", "freeze=3", "epochs=3", "ema=0.9")
    stored = ran(settings(*options, "sweep.sharing=1000"), tmp_path / "auto", monkeypatch)
    images = ran(settings(*options, "reuse=off"), tmp_path / "off", monkeypatch)
    assert all(epoch.stored for epoch in stored.epochs.values())
    for metric in ("train/loss", "val/loss"):
        one, other = (each.record.curve(metric) for each in (stored, images))
        assert one == pytest.approx(other, rel=1e-4)


def test_gradients_that_are_added_up_are_one_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    updates: list[int] = []
    update = AveragedTensors.update

    def counts(self: AveragedTensors, step: int) -> None:
        updates.append(step)
        update(self, step)

    monkeypatch.setattr(AveragedTensors, "update", counts)
    options = ("backbone=test_resnet", "freeze=all", "epochs=2", "ema=0.9", "batch_size=8")
    ran(settings(*options, "trainer.accumulate_grad_batches=2"), tmp_path, monkeypatch)
    assert updates == list(range(1, len(updates) + 1))
    assert len(updates) > 2


def test_jobs_that_average_train_alone_and_solve_no_head() -> None:
    tuned = settings("freeze=all", "head.dropout=0", "lr=auto")
    assert solves_head(tuned)
    averaged = tuned.model_copy(update={"ema": 0.99})
    assert not solves_head(averaged)
    alone = settings("freeze=all", "augment=flip")
    assert group_key(alone, prefix_stages=5, num_stages=5) is not None
    averaged = alone.model_copy(update={"ema": 0.99})
    assert group_key(averaged, prefix_stages=5, num_stages=5) is None


def test_identity_and_record() -> None:
    assert "ema" not in _values(settings())
    assert "ema" not in swept_params(settings())
    assert _values(settings("ema=0.99"))["ema"] == 0.99
    assert swept_params(settings("ema=0.99"))["ema"] == 0.99


@pytest.mark.parametrize("value", ["1", "0", "1.5", "true", "-0.1"])
def test_what_is_no_decay_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match="ema"):
        settings(f"ema={value}")
