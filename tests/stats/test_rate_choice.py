import numpy as np
import pytest

from benchmarks.rate_worlds import CLEAR, World
from benchmarks.simulate_rates import WAYS, simulate
from frostline.stats.paired import Scored
from frostline.stats.rate_choice import choose_rate

ALIKE = (0.0,) * 5


def _run(right, photos=1):
    items = np.array([f"i{k:04d}" for k in range(len(right))])
    groups = np.repeat(items[::photos], photos)
    value = float(right.mean())
    return Scored(value, (right - value) / len(right), right, items, groups)


def _rates(shares, *, seeds=3, n_items=150, seed=0):
    rng = np.random.default_rng(seed)
    return {
        str(k): {str(s): _run(rng.uniform(size=n_items) < share) for s in range(seeds)}
        for k, share in enumerate(shares)
    }


def _best(rates):
    return max(rates, key=lambda rate: np.mean([run.value for run in rates[rate].values()]))


def _mean(seeds):
    return np.mean([run.value for run in seeds.values()])


def test_a_clear_best_rate_keeps_its_score_exactly():
    rates = _rates((0.5, 0.9, 0.6))
    got = choose_rate(rates, "1")
    assert got.optimism == pytest.approx(0, abs=1e-12)
    assert got.shares == {"0": 0, "1": pytest.approx(1), "2": 0}
    assert _mean(got.seeds) == pytest.approx(_mean(rates["1"]))


def test_the_luck_of_the_best_of_equal_rates_is_taken_off():
    plain, judged = [], []
    for seed in range(60):
        rates = _rates((0.8,) * 5, seed=seed)
        best = _best(rates)
        plain.append(_mean(rates[best]) - 0.8)
        judged.append(_mean(choose_rate(rates, best).seeds) - 0.8)
    assert np.mean(plain) > 0.015
    assert abs(np.mean(judged)) < 0.006


def test_the_same_figures_give_the_same_answer():
    rates = _rates((0.8, 0.8, 0.79))
    best = _best(rates)
    assert choose_rate(rates, best).optimism == choose_rate(rates, best).optimism > 0


def test_groups_are_never_divided():
    # 20 leaves of 20 photos: each rate is right on all photos of a leaf or on none.
    rng = np.random.default_rng(3)
    rates = {
        str(k): {"0": _run(np.repeat(rng.uniform(size=20) < 0.7, 20), photos=20)} for k in range(5)
    }
    best = _best(rates)
    grouped = choose_rate(rates, best).optimism
    single = {
        rate: {s: _run(run.correct) for s, run in seeds.items()} for rate, seeds in rates.items()
    }
    assert grouped > 2 * choose_rate(single, best).optimism


def test_coverage_and_bias_in_a_short_simulation():
    world = World("mixed", ((0.9, ALIKE), (0.9, CLEAR)) * 2, n_leaves=50)
    got = simulate(
        world,
        {"plain": WAYS["plain"], "halves": WAYS["halves"]},
        sweeps=80,
        score="acc_micro",
        seed=1,
    )
    plain, halves = got["plain"], got["halves"]
    assert np.mean(plain.bias) > 0.007
    assert abs(np.mean(halves.bias)) < 0.5 * np.mean(plain.bias)
    assert np.mean(halves.difference_bias) < 0.7 * np.mean(plain.difference_bias)
    assert 0.90 <= np.mean(halves.differences) <= 0.995
    assert np.mean(halves.false_claims) <= 0.08
