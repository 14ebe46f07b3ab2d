"""What a run keeps to go on from: how often it is written, and what is in it."""

from pathlib import Path

import pytest
import torch

from frostline.training import kept_state, run
from frostline.training.checkpoint import digest_path, load_checkpoint
from frostline.training.resume import BEST, FROZEN, last_intact
from tests.contracts.scheduled import assert_equal_state, ran, settings

GIVEN = ("backbone=test_resnet", "freeze=3", "epochs=4", "augment=none", "lr=5e-3")


def names(work: Path) -> list[str]:
    return sorted(path.name for path in work.glob("last-*.ckpt"))


@pytest.mark.parametrize(
    ("between", "written"),
    [(0, ["last-00001.ckpt", "last-00002.ckpt"]), (1e9, ["last-00002.ckpt"])],
)
def test_an_error_leaves_the_end_of_the_newest_epoch_however_seldom_it_is_written(
    between: float, written: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_state, "COSTS_BETWEEN", between)
    stopped = ran(settings(*GIVEN), tmp_path / "stopped", monkeypatch, stop_at=3)
    assert names(stopped.work) == written
    resumed = ran(settings(*GIVEN), tmp_path / "stopped", monkeypatch)
    assert sorted(resumed.epochs) == [3]
    whole = ran(settings(*GIVEN), tmp_path / "whole", monkeypatch)
    assert_equal_state(resumed.last, whole.last)
    assert resumed.figures["test/loss"] == whole.figures["test/loss"]
    best = [load_checkpoint(run.work / "best.ckpt") for run in (resumed, whole)]
    assert_equal_state(*best)


def test_nothing_is_written_while_epochs_cost_less_than_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_state, "COSTS_BETWEEN", 1e9)
    monkeypatch.setattr(kept_state.KeepLast, "keep", lambda _: None)
    seen = ran(settings(*GIVEN), tmp_path, monkeypatch)
    assert names(seen.work) == []
    assert (seen.work / "best.ckpt").is_file()


def test_what_is_frozen_is_in_the_best_weights_and_not_in_what_a_run_goes_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = ran(settings(*GIVEN), tmp_path, monkeypatch)
    whole = load_checkpoint(seen.work / "best.ckpt")["state_dict"]
    assert {name.removeprefix("backbone.model.") for name in whole if "backbone" in name} == set(
        seen.start
    )
    frozen = set(whole) - set(seen.last["state_dict"])
    assert frozen
    for name in frozen:
        assert torch.equal(whole[name], seen.start[name.removeprefix("backbone.model.")])
    optimised = seen.last["optimizer_states"][0]["state"]
    assert 0 < len(optimised) < len(whole)


def test_a_checkpoint_of_other_frozen_weights_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = ran(settings(*GIVEN), tmp_path, monkeypatch)
    texts: list[str] = []
    path = last_intact(
        seen.work, lambda **values: texts.append(values["text"]), frozen=seen.last[FROZEN]
    )
    assert path == seen.work / "last-00003.ckpt"
    assert digest_path(path).is_file()
    assert texts == []
    assert last_intact(
        seen.work, lambda **values: texts.append(values["text"]), frozen="another"
    ) is None  # fmt: skip
    assert "of other frozen weights" in texts[-1]


def test_the_best_weights_are_kept_beside_later_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At hardly any rate the scores stay the same, and of equal epochs the first is the best."""
    given = settings(*GIVEN, "callbacks.monitor=val/acc_micro", "lr=1e-9")
    seen = ran(given, tmp_path, monkeypatch)
    losses = seen.record.curve("val/acc_micro")
    place = losses.index(max(losses))
    assert place < len(losses) - 1
    best = seen.last[BEST]
    assert best["epoch"] == place
    for name, tensor in best["state"].items():
        if name.startswith("backbone.model."):
            kept = seen.epochs[place].state[name.removeprefix("backbone.model.")]
            assert torch.equal(tensor, kept)
    assert load_checkpoint(seen.work / "best.ckpt")["epoch"] == place


def test_the_best_epoch_is_validated_once_and_its_predictions_are_those_of_its_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    validated: list[str] = []
    before = run.evaluate_split

    def counted(task, evaluate, loader, table, predictions):  # type: ignore[no-untyped-def]
        validated.append(predictions.stem)
        return before(task, evaluate, loader, table, predictions)

    monkeypatch.setattr(run, "evaluate_split", counted)
    once = ran(settings(*GIVEN), tmp_path / "once", monkeypatch)
    assert validated == ["test"]
    monkeypatch.setattr(kept_state, "_MOST_LOGITS", 0)
    again = ran(settings(*GIVEN), tmp_path / "again", monkeypatch)
    assert validated == ["test", "val", "test"]
    scores = [
        {name: value for name, value in each.figures.items() if name.startswith("val_best/")}
        for each in (once, again)
    ]
    assert scores[0] == scores[1]
    assert scores[0]["val_best/loss"] > 0
    files = [next((tmp_path / name).rglob("val.parquet")) for name in ("once", "again")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_best_epoch_of_another_process_is_validated_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = settings(*GIVEN, "callbacks.monitor=val/acc_micro", "lr=1e-9")
    whole = ran(given, tmp_path / "whole", monkeypatch)
    ran(given, tmp_path / "stopped", monkeypatch, stop_at=3)
    seen: list[str] = []
    before = run.evaluate_split

    def counted(task, evaluate, loader, table, predictions):  # type: ignore[no-untyped-def]
        seen.append(predictions.stem)
        return before(task, evaluate, loader, table, predictions)

    monkeypatch.setattr(run, "evaluate_split", counted)
    resumed = ran(given, tmp_path / "stopped", monkeypatch)
    assert seen == ["val", "test"]
    for name in ("val_best/loss", "val_best/f1_macro", "test/loss"):
        assert resumed.figures[name] == whole.figures[name]
