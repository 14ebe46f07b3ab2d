"""The verdict on a strategy and on a ranking, on made-up results."""

import numpy as np
import pytest

from experiments.tools.standing import mean_by_cell, rank_correlation, standing_of
from frostline.stats.paired import Scored


def runs(share, *, seeds=3, n=200, backwards=False):
    """Runs that are right on the first images of each seed, or on the last ones."""
    made = {}
    for seed in range(seeds):
        correct = np.arange(n) < round(share * n)
        correct = correct[::-1] if backwards else correct
        value = float(correct.mean())
        items = np.array([f"s{seed}i{k:04}" for k in range(n)])
        made[str(seed)] = Scored(value, (correct - value) / n, correct, items, items)
    return made


def test_a_strategy_wins_loses_or_ties_against_the_best_on_validation():
    test = {"prior": runs(0.8), "other": runs(0.6), "third": runs(0.9)}
    won = standing_of("prior", {"prior": 0.5, "other": 0.7, "third": 0.6}, test)
    # `third` is better on the test, but validation chose `other`.
    assert (won.other, won.verdict) == ("other", "wins")
    assert won.difference == pytest.approx(0.2)
    assert 0 < won.low < 0.2 < won.high
    lost = standing_of("prior", {"prior": 0.5, "third": 0.6}, test)
    assert (lost.verdict, round(lost.difference, 3)) == ("loses", -0.1)
    near = {"prior": runs(0.80), "other": runs(0.81, backwards=True)}
    assert standing_of("prior", {"prior": 0.5, "other": 0.6}, near).verdict == "ties"


def test_a_strategy_alone_has_no_standing():
    with pytest.raises(ValueError, match="nothing to compare"):
        standing_of("prior", {"prior": 0.5}, {"prior": runs(0.8)})


def test_rank_correlation_by_value():
    assert rank_correlation([1, 2, 3, 4], [0.1, 0.2, 0.3, 0.4]) == pytest.approx(1.0)
    assert rank_correlation([1, 2, 3, 4], [0.4, 0.3, 0.2, 0.1]) == pytest.approx(-1.0)
    assert rank_correlation([1, 2, 3, 4], [0.2, 0.1, 0.3, 0.4]) == pytest.approx(4 / 6)
    assert np.isnan(rank_correlation([1, 2, 3], [0.5, 0.5, 0.5]))


def test_the_interval_is_over_cells_not_over_seeds():
    mean, low, high, count = mean_by_cell({"a": [1.0, 1.0, 1.0], "b": [0.0, 0.0, np.nan]})
    assert (mean, count) == (0.5, 5)
    # t with one degree of freedom, standard error 0.5: wider than the scale, and cut off there.
    assert (low, high) == (-1.0, 1.0)
    mean, low, high, _ = mean_by_cell({"a": [0.4], "b": [0.5], "c": [0.6], "d": [0.5]})
    assert mean == pytest.approx(0.5)
    assert high - mean == pytest.approx(3.182446 * np.std([4, 5, 6, 5], ddof=1) / 20, abs=1e-4)
    assert mean - low == pytest.approx(high - mean)
