"""Searches replayed over curves: what each pays, and which cell it takes."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.search_cells import CELLS, EPOCHS
from benchmarks.search_curves import Curves, read_curves
from benchmarks.search_rules import LoopSeconds, asha, grid, one_epoch, own_grid, race
from benchmarks.simulate_race import race_rules

N = 200
LOOP = LoopSeconds(np.full(len(CELLS), 0.5), np.full(len(CELLS), 2.0))
RACE = race(race_rules().model_copy(update={"score": "f1_macro"}), takes_cheap=False)


def _curves(accuracies) -> Curves:
    """Cells that are right on these shares of images after each epoch, `(C, E)`."""
    rng = np.random.default_rng(0)
    labels = np.arange(N, dtype=np.uint8) % 2
    hard = [rng.permutation(N) for _ in CELLS]
    predicted = np.repeat(labels[None, None], len(CELLS), 0).repeat(EPOCHS, 1)
    for cell, curve in enumerate(accuracies):
        for epoch, accuracy in enumerate(curve):
            wrong = hard[cell][: round((1 - accuracy) * N)]
            predicted[cell, epoch, wrong] = 1 - labels[wrong]
    ones = np.ones(len(CELLS))
    return Curves(
        "drawn", 0, 480, labels, np.arange(N, dtype=np.uint16), predicted,
        np.asarray(accuracies)[:, -1], 0.5 * ones, np.ones((len(CELLS), EPOCHS)), 0.25 * ones,
    )  # fmt: skip


@pytest.fixture
def clear():
    """Cell 7 is far above all others from the first epoch on."""
    accuracies = np.linspace(0.5, 0.6, EPOCHS)[None].repeat(len(CELLS), 0)
    accuracies[7] += 0.35
    return _curves(accuracies)


def test_peers_pay_for_the_epochs_that_they_train(clear):
    whole, halved, few = (search(clear, LOOP) for search in (grid, asha, one_epoch))
    assert (whole.epochs, halved.epochs, few.epochs) == (24 * 6, 24 + 8 + 2 * 4, 24 + 3 * 5)
    assert whole.seconds == pytest.approx(24 * 0.5 + 2 * 144)
    assert halved.seconds == pytest.approx(24 * 0.5 + 2 * 40)
    assert {one.cell for one in (whole, halved, few)} == {7}
    assert 7 in halved.kept
    assert 7 in few.kept


def test_a_cell_that_is_late_is_lost_by_those_who_look_once(clear):
    accuracies = np.linspace(0.5, 0.6, EPOCHS)[None].repeat(len(CELLS), 0)
    accuracies[:4, 0] = 0.7
    accuracies[9] = [0.4, 0.4, 0.5, 0.8, 0.9, 0.95]
    late = _curves(accuracies)
    assert grid(late, LOOP).cell == 9
    assert 9 not in one_epoch(late, LOOP).kept
    assert 9 not in asha(late, LOOP).kept


def test_the_race_pays_its_own_seconds_and_for_each_pause(clear):
    found = RACE(clear, LOOP)
    assert found.cell == 7
    whole = own_grid(clear, LOOP)
    assert whole.seconds == pytest.approx(24 * (0.5 + 6 + 0.25))
    assert found.seconds < whole.seconds
    assert found.epochs < whole.epochs
    dearer = RACE(replace(clear, pause_s=clear.pause_s + 1), LOOP)
    assert dearer.seconds >= found.seconds + len(CELLS)


def test_images_drawn_anew_keep_their_cells_and_their_groups(clear):
    drawn = clear.resampled(np.random.default_rng(1))
    assert drawn.predicted.shape == clear.predicted.shape
    assert len(np.unique(drawn.groups)) == N
    assert grid(drawn, LOOP).cell == 7
    assert abs(drawn.scores[0, -1] - clear.scores[0, -1]) < 0.15


def test_a_recording_is_read_as_it_was_written(clear, tmp_path):
    np.savez_compressed(
        tmp_path / "leaves-3.npz",
        n_train=480,
        val_labels=clear.labels,
        val_groups=clear.groups,
        val_predicted=clear.predicted,
        test_labels=clear.labels,
        test_predicted=clear.predicted[:, -1],
        epoch_s=clear.epoch_s,
        start_s=clear.start_s,
        pause_s=clear.pause_s,
    )
    (read,) = read_curves(tmp_path)
    assert (read.data, read.seed, read.n_train) == ("leaves", 3, 480)
    assert read.scores == pytest.approx(clear.scores)
    assert read.test == pytest.approx(clear.scores[:, -1])
