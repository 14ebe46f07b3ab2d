"""Tuning with trainings that are made up: effort, order, widening, resuming, divergence."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from frostline.config.schema import Settings
from frostline.files import unsealed
from frostline.training.candidate import Candidate, best_of, first_part, is_hopeless
from frostline.training.schedule import Phase
from frostline.training.task import TrainingDivergedError
from frostline.training.tuning import AllDivergedError, candidate_folder, tune
from frostline.training.tuning_choice import Tuning
from tests.composed import settings as composed

CLASSES = 10
OnEpoch = Callable[[Mapping[str, float], int], None]


def settings(*overrides: str) -> Settings:
    return composed("tune.center=0.0005", "tune.candidates=5", *overrides)


class Trainings:
    """Trains by a formula: the validation loss is lowest at a rate, and grows on both sides."""

    def __init__(self, best: float, *, diverges_from: float = math.inf) -> None:
        self.best = best
        self.diverges_from = diverges_from
        self.trained: list[tuple[float, int]] = []
        self.stops_at: int | None = None

    def loss(self, lr: float) -> float:
        return 0.5 + abs(math.log10(lr / self.best))

    def __call__(self, job: Settings, work: Path, until: int, on_epoch: OnEpoch) -> int:
        self.trained.append((job.peak_lr, until))
        if len(self.trained) == self.stops_at:
            raise KeyboardInterrupt
        if job.peak_lr >= self.diverges_from:
            raise TrainingDivergedError("the loss became inf")
        for epoch in range(until):
            on_epoch({"val/loss": self.loss(job.peak_lr) + (until - 1 - epoch)}, epoch)
        (work / "last-00000.ckpt").write_text(str(job.peak_lr))
        return CLASSES


def run(train: Trainings, folder: Path, *overrides: str, until: int = 1) -> Tuning:
    return tune(settings(*overrides), folder, train, until=until, on_progress=lambda **_: None)


def test_all_candidates_train_equally_far_and_the_lowest_loss_is_chosen(tmp_path: Path) -> None:
    train = Trainings(best=0.0005)
    tuning = run(train, tmp_path, until=2)
    rates = [0.00005, 0.00016, 0.0005, 0.0016, 0.005]
    assert train.trained == [(rate, 2) for rate in rates]
    assert tuning.best.values == {"lr": 0.0005}
    assert tuning.at_edge == ()
    assert [sorted(one.epochs) for one in tuning.candidates] == [[0, 1]] * 5


def test_two_that_are_close_train_twice_as_far_and_may_change_places(tmp_path: Path) -> None:
    class Crossing(Trainings):
        def __call__(self, job: Settings, work: Path, until: int, on_epoch: OnEpoch) -> int:
            self.trained.append((job.peak_lr, until))
            curves = {0.0005: [1.00, 0.90], 0.0016: [1.05, 0.50]}
            for epoch, loss in enumerate(curves.get(job.peak_lr, [2.0, 0.1])[:until]):
                on_epoch({"val/loss": loss}, epoch)
            (work / "last-00000.ckpt").touch()
            return CLASSES

    train = Crossing(best=1.0)
    tuning = run(train, tmp_path)
    assert train.trained[5:] == [(0.0005, 2), (0.0016, 2)]
    assert tuning.best.values == {"lr": 0.0016}
    assert [path.parent.name for path in tmp_path.rglob("*.ckpt")] == ["lr=0.0016"]
    again = Crossing(best=1.0)
    (tmp_path / "choice.json").unlink()
    assert run(again, tmp_path).best.values == {"lr": 0.0016}
    assert again.trained == [], "all of it was trained before"


def test_only_the_chosen_candidate_keeps_its_checkpoint(tmp_path: Path) -> None:
    tuning = run(Trainings(best=0.0016), tmp_path)
    kept = [path.parent for path in tmp_path.rglob("*.ckpt")]
    assert kept == [candidate_folder(tmp_path, tuning.best.values)]


def test_a_choice_at_the_edge_widens_the_grid_once(tmp_path: Path) -> None:
    within = run(Trainings(best=0.006), tmp_path / "a")
    assert [one.values["lr"] for one in within.candidates][-2:] == [0.005, 0.016]
    assert within.best.values == {"lr": 0.005}
    assert within.at_edge == ()
    beyond = run(Trainings(best=10.0), tmp_path / "b")
    assert beyond.best.values == {"lr": 0.016}
    assert beyond.at_edge == ("lr",)
    assert len(beyond.candidates) == 6
    below = run(Trainings(best=1e-9), tmp_path / "c")
    assert below.best.values == {"lr": 0.000016}
    assert below.candidates[0] is below.best
    assert below.at_edge == ("lr",)


def test_given_values_are_not_widened_but_their_edge_is_named(tmp_path: Path) -> None:
    tuning = run(Trainings(best=1.0), tmp_path, "tune.over={lr: [0.001, 0.01]}")
    assert [one.values["lr"] for one in tuning.candidates] == [0.001, 0.01]
    assert tuning.at_edge == ("lr",)


def test_rates_above_one_that_is_worse_than_guessing_are_left_out(tmp_path: Path) -> None:
    train = Trainings(best=0.00005)
    train.loss = lambda lr: 1.0 if lr < 0.001 else math.log(CLASSES) + 0.1  # type: ignore[method-assign]
    tuning = run(train, tmp_path)
    assert [one.state for one in tuning.candidates][-1] == "left out"
    assert 0.005 not in [rate for rate, _ in train.trained]


def test_nothing_is_left_out_while_lower_rates_are_no_better(tmp_path: Path) -> None:
    train = Trainings(best=0.005)
    train.loss = lambda lr: math.log(CLASSES) + 0.1 if lr < 0.005 else 0.7  # type: ignore[method-assign]
    tuning = run(train, tmp_path)
    assert tuning.best.values == {"lr": 0.005}


def test_a_candidate_that_diverges_loses(tmp_path: Path) -> None:
    tuning = run(Trainings(best=0.0016, diverges_from=0.001), tmp_path)
    assert tuning.best.values == {"lr": 0.0005}
    assert [one.state for one in tuning.candidates] == ["trained"] * 3 + ["diverged", "left out"]


def test_if_all_diverge_the_cell_fails_and_says_so(tmp_path: Path) -> None:
    with pytest.raises(AllDivergedError, match=r"every candidate became infinite or NaN: lr=5e-05"):
        run(Trainings(best=1.0, diverges_from=0.0), tmp_path)


@pytest.mark.parametrize("stop", [1, 3, 5])
def test_an_interrupted_tuning_goes_on_and_chooses_the_same(tmp_path: Path, stop: int) -> None:
    whole = run(Trainings(best=0.0016), tmp_path / "whole")
    train = Trainings(best=0.0016)
    train.stops_at = stop
    with pytest.raises(KeyboardInterrupt):
        run(train, tmp_path / "cut")
    assert Tuning.load(tmp_path / "cut") is None
    train.stops_at = None
    resumed = run(train, tmp_path / "cut")
    assert resumed.best.values == whole.best.values
    assert len(train.trained) == 6, "what was trained before is not trained again"
    assert [one.epochs for one in resumed.candidates] == [one.epochs for one in whole.candidates]


def test_a_damaged_curve_is_trained_again(tmp_path: Path) -> None:
    train = Trainings(best=0.0016)
    train.stops_at = 4
    with pytest.raises(KeyboardInterrupt):
        run(train, tmp_path)
    trained = list(train.trained)
    for lr, damage in ((0.00005, "{"), (0.00016, "")):
        curve = candidate_folder(tmp_path, {"lr": lr}) / "curve.json"
        text = curve.read_text()
        # A digit of a loss, by which the wrong candidate would be chosen.
        curve.write_text(damage or text.replace("1", "0"))
        assert curve.read_text() != text
    train.stops_at = None
    assert run(train, tmp_path).best.values == {"lr": 0.0016}
    again = [lr for lr, _ in train.trained[len(trained) :]]
    assert sorted(again)[:2] == [0.00005, 0.00016]


def test_a_saved_choice_is_read_again_and_damage_is_no_choice(tmp_path: Path) -> None:
    tuning = run(Trainings(best=0.0016), tmp_path)
    again = Tuning.load(tmp_path)
    assert again is not None
    assert again.best == tuning.best
    assert again.tags() == tuning.tags()
    assert json.loads(tuning.tags()["frostline.tuned"]) == {"lr": 0.0016}
    whole = (tmp_path / "choice.json").read_text()
    for damaged in ("[]", whole[:-9], whole.replace("0.0016", "0.0014")):
        (tmp_path / "choice.json").write_text(damaged)
        assert Tuning.load(tmp_path) is None
    (tmp_path / "choice.json").write_text(unsealed(whole))
    assert Tuning.load(tmp_path) == again, "as versions without a checksum wrote it"


def test_the_table_has_every_candidates_curve(tmp_path: Path) -> None:
    tuning = run(Trainings(best=0.0016, diverges_from=0.005), tmp_path, until=2)
    tuning.write_table(tmp_path / "tuning.csv")
    head, *rows = [line.split(",") for line in (tmp_path / "tuning.csv").read_text().split()]
    assert head == ["candidate", "lr", "l2", "state", "seconds", "epochs", "epoch", "val/loss"]
    assert len(rows) == 4 * 2 + 1
    assert {row[3] for row in rows} == {"trained", "chosen", "diverged"}


def test_equal_losses_are_won_by_the_first() -> None:
    one, other = Candidate({"lr": 1.0}, "trained"), Candidate({"lr": 2.0}, "trained")
    one.epochs = other.epochs = {0: {"val/loss": 1.0}}
    assert best_of([one, other]) == 0
    assert best_of([]) is None
    assert best_of([Candidate({"lr": 1.0}, "diverged")]) is None


def test_the_latest_scaled_loss_is_compared_where_it_is_known() -> None:
    curve = {
        n: {"val/loss": 9.0, "val/loss_scaled": value} for n, value in enumerate([9.0, 0.5, 0.7])
    }
    assert Candidate({"lr": 1.0}, "trained", curve).loss == 0.7
    assert Candidate({"lr": 1.0}, "trained", {0: curve[0]}).loss == 9.0
    assert Candidate({"lr": 1.0}, "diverged", curve).loss == math.inf
    assert Candidate({"lr": 1.0}, "trained", curve).recorded_epochs[2] == {"val/loss": 9.0}


def test_a_rate_that_is_too_sure_has_overshot_by_its_plain_loss() -> None:
    low = Candidate({"lr": 1.0}, "trained", {0: {"val/loss": 1.5}}, chance_loss=math.log(CLASSES))
    sure = {0: {"val/loss": 5.0, "val/loss_scaled": 1.2}}
    high = Candidate({"lr": 2.0}, "trained", sure, chance_loss=math.log(CLASSES))
    assert best_of([low, high]) == 1
    assert not is_hopeless(high, [low]), "it is better than the lower one"


def test_only_a_grid_of_rates_has_hopeless_candidates() -> None:
    low = Candidate({"lr": 1.0, "head.dropout": 0.0}, "trained", {0: {"val/loss": 1.0}})
    high = Candidate({"lr": 2.0, "head.dropout": 0.0}, "diverged")
    assert not is_hopeless(high, [low])


@pytest.mark.parametrize(
    ("epochs", "share", "steps", "expected"),
    [
        (1, 0.125, 100, 1), (6, 0.125, 100, 1), (30, 0.125, 100, 4), (3, 1.0, 100, 3),
        (6, 0.125, 10, 1), (6, 0.125, 9, 2), (6, 0.125, 1, 2), (30, 0.125, 1, 10), (1, 0.125, 1, 1),
    ],
)  # fmt: skip
def test_the_first_part_is_a_share_of_the_schedule_with_enough_steps(
    epochs: int, share: float, steps: int, expected: int
) -> None:
    phases = [Phase(0, epochs, 0, 1.0)]
    assert first_part(phases, share=share, steps_per_epoch=steps) == expected


def test_the_first_part_of_a_schedule_with_phases_ends_after_the_first_thaw() -> None:
    phases = [Phase(0, 2, "all", 1.0), Phase(2, 4, 0, 0.1)]
    assert first_part(phases, share=0.125, steps_per_epoch=100) == 3
