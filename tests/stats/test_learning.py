import numpy as np
import pytest

from frostline.stats.learning import last_quarter, late_gain


def _curves(end, *, rate, noise, n_epochs, seeds=2, seed=0):
    """Losses that fall to `end`, e-fold every `rate` epochs, with jumps from epoch to epoch."""
    rng = np.random.default_rng(seed)
    e = np.arange(n_epochs)
    return [
        (end + 2 * np.exp(-e / rate) + rng.normal(0, noise, n_epochs)).tolist()
        for _ in range(seeds)
    ]


def test_a_loss_that_falls_until_the_end_is_beyond_noise():
    got = late_gain(_curves(0.5, rate=6, noise=0.01, n_epochs=12), falls=True)
    assert got.n_last == 3
    assert got.beyond_noise
    assert got.share > 0.1


def test_a_loss_that_has_settled_is_not():
    alarms = [
        late_gain(
            _curves(0.5, rate=1.5, noise=0.02, n_epochs=24, seed=seed), falls=True
        ).beyond_noise
        for seed in range(200)
    ]
    assert np.mean(alarms) < 0.05


def test_a_loss_that_was_lower_before_has_not_gained():
    curve = [2.0, 1.2, 1.0, 1.0, 1.0, 1.5, 1.6, 1.4, 1.2, 1.1, 1.1, 1.05, 1.05]
    got = late_gain([curve], falls=True)
    assert got.gain < 0
    assert not got.beyond_noise


def test_a_score_gains_where_it_rises():
    curve = np.linspace(0.2, 0.8, 12).tolist()
    assert late_gain([curve], falls=False).gain == pytest.approx(3 * 0.6 / 11)
    assert late_gain([curve], falls=True).gain < 0


def test_seeds_that_disagree_are_noise():
    down = np.linspace(2, 1, 8)
    flat = np.full(8, 1.5)
    assert late_gain([down.tolist(), down.tolist()], falls=True).beyond_noise
    assert not late_gain([down.tolist(), flat.tolist()], falls=True).beyond_noise


@pytest.mark.parametrize("curves", [[], [[1.0, 0.5, 0.2]], [[1.0, np.nan, np.nan, 0.5, 0.4]]])
def test_too_few_epochs_show_nothing(curves):
    assert late_gain(curves, falls=True) is None


def test_the_last_quarter_has_two_epochs_at_least():
    assert [last_quarter(n) for n in (4, 6, 8, 12, 24)] == [2, 2, 2, 3, 6]
