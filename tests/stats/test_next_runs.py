from dataclasses import replace

import numpy as np
import pytest

from frostline.stats.expected_loss import chance_best, expected_loss, posterior_draws
from frostline.stats.next_runs import Known, best_plan, gain_of, plans


def _known(means, *, seed_sd=0.02, image_sd=0.01, n=2, new_images=True, seconds=10.0):
    size = len(means)
    return Known(
        np.array(means, float),
        image_sd**2 * np.eye(size),
        np.full(size, seed_sd**2 / n),
        np.full(size, n),
        new_images,
        np.full(size, seconds),
    )


def _chances(known):
    return chance_best(posterior_draws(known.means, known.images + np.diag(known.seeds_part)))


CLOSE = [0.90, 0.895, 0.893, 0.70, 0.60, 0.50]


def test_seeds_of_hopeless_cells_are_worth_nothing():
    known = _known(CLOSE)
    close, hopeless = gain_of(known, [0, 1, 2], 3), gain_of(known, [3, 4, 5], 3)
    assert close > 0.001
    assert hopeless < close / 20
    assert gain_of(known, range(6), 3) == pytest.approx(close, rel=0.1)


def test_more_seeds_gain_more_but_never_more_than_the_expected_loss():
    known = _known(CLOSE)
    gains = [gain_of(known, [0, 1, 2], more) for more in (1, 3, 30, 3000)]
    assert gains == sorted(gains)
    draws = posterior_draws(known.means, known.images + np.diag(known.seeds_part))
    assert gains[-1] <= expected_loss(draws).min()
    assert gains[-1] == pytest.approx(expected_loss(draws).min(), rel=0.25)


def test_on_one_split_seeds_do_not_take_off_what_the_images_leave():
    images_alone = _known(CLOSE, seed_sd=0.0, image_sd=0.02)
    assert gain_of(images_alone, [0, 1, 2], 5) > 0.001
    assert gain_of(replace(images_alone, new_images=False), [0, 1, 2], 5) < 1e-6


def test_the_gain_is_what_a_simulation_of_the_next_seeds_finds():
    rng = np.random.default_rng(5)
    now, later = [], []
    promised = []
    for _ in range(300):
        truth = 0.85 + rng.normal(0, 0.02, 6)
        runs = truth[:, None] + rng.normal(0, 0.03, (6, 8))
        early = _known(runs[:, :2].mean(axis=1), seed_sd=0.03, image_sd=0.0)
        promised.append(gain_of(early, range(6), 6))
        for known, losses in (
            (early, now),
            (_known(runs.mean(axis=1), seed_sd=0.03, image_sd=0.0, n=8), later),
        ):
            draws = posterior_draws(known.means, np.diag(known.seeds_part), draws=200)
            losses.append(truth.max() - truth[draws.mean(axis=1).argmax()])
    gained = np.mean(now) - np.mean(later)
    assert np.mean(promised) == pytest.approx(gained, abs=0.002)


def test_the_best_plan_is_cheap_and_for_the_contenders():
    known = _known(CLOSE)
    front = plans(known, _chances(known).tolist())
    assert [one.seconds for one in front] == sorted(one.seconds for one in front)
    assert [one.gain for one in front] == sorted(one.gain for one in front)
    best = best_plan(front, 0.001)
    assert best is not None
    assert set(best.cells) <= {0, 1, 2, 3}
    assert best.gain >= 0.8 * front[-1].gain
    assert best.seconds == pytest.approx(10.0 * best.seeds * len(best.cells))


def test_a_clear_sweep_has_nothing_worth_running():
    known = _known([0.9, 0.7, 0.5], seed_sd=0.002, image_sd=0.002)
    assert best_plan(plans(known, _chances(known).tolist()), 0.001) is None
