"""Folds of one data set: how they are counted, and how far they are from independent repeats."""

import numpy as np
import pytest

from benchmarks.simulate_folds import WAYS, WORLDS, simulate
from frostline.stats.folds import counted, key_order, overlap_of, run_key
from frostline.stats.variance import NO_PRIOR, estimate, spread_of_pulls


def test_keys_are_in_the_order_of_numbers_and_counted_as_what_they_are():
    keys = [run_key(seed, fold) for seed in ("10", "2") for fold in ("10", "9")]
    assert sorted(keys, key=key_order) == ["2 fold 9", "2 fold 10", "10 fold 9", "10 fold 10"]
    assert counted(keys) == "4 folds of 2 seeds"
    assert counted([run_key("0", "1")]) == "1 fold"
    assert counted([run_key("0", None), run_key("1", None)]) == "2 seeds"


def test_the_variance_over_folds_is_that_of_nadeau_and_bengio():
    values = np.array([0.8, 0.82, 0.79, 0.85, 0.84])
    # No image moves a score: then only the variance over folds is left, with J - 1 degrees.
    spread = spread_of_pulls(values, np.zeros((5, 10)), overlap_of(5))
    got = estimate(spread, NO_PRIOR)
    assert got.se**2 == pytest.approx(np.var(values, ddof=1) * (1 / 5 + 1 / 3))
    assert got.df == pytest.approx(4, abs=6)  # never more than images and folds allow
    assert spread_of_pulls(values, np.zeros((5, 10))).between == pytest.approx(
        np.var(values, ddof=1) / 5
    )
    assert overlap_of(5, 0.5) == pytest.approx(2 / 3)


def test_real_trainings_on_folds_are_covered_and_repeats_make_no_false_claims():
    repeated = next(world for world in WORLDS if world.repeats > 1)
    got = simulate(repeated, sweeps=12, seed=3)
    assert np.mean(got[WAYS[0]].cells) >= 0.93
    assert np.mean(got[WAYS[0]].differences) >= 0.93
    assert not any(got[WAYS[0]].false_claims)
    assert np.mean(got["t over folds"].cells) < 0.9  # the naive way misses the truth
