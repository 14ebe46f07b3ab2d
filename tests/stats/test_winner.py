import numpy as np
import pytest
from scipy import stats

from frostline.stats.intervals import Estimate, share_interval
from frostline.stats.winner import winner_reach

SD = 0.03


def _covariance(n_cells, shared):
    return SD**2 * (np.eye(n_cells) * (1 - shared) + shared)


def _reach(means, covariance, df=1e6):
    means = np.asarray(means, float)
    return winner_reach(means, covariance, int(means.argmax()), df=df, level=0.95)


@pytest.mark.parametrize("df", [5, 30, 1e6])
def test_a_clear_winner_keeps_the_t_interval(df):
    down, up = _reach([0.9, 0.5, 0.4], _covariance(3, 0.0), df)
    quantile = stats.t.ppf(0.975, df)
    # A tenth of the 5 % is spent on the bound for all.
    assert quantile < down < 1.03 * quantile
    assert quantile < up < 1.03 * quantile


def test_rivals_close_behind_move_the_lower_end_down():
    alone, _ = _reach([0.9, 0.5, 0.5, 0.5], _covariance(4, 0.0))
    near, up = _reach([0.9, 0.89, 0.885, 0.88], _covariance(4, 0.0))
    assert near > 1.3 * alone
    assert up < 2


def test_what_all_share_picks_no_cell():
    near, _ = _reach([0.9, 0.89, 0.885, 0.88], _covariance(4, 0.0))
    shared, _ = _reach([0.9, 0.89, 0.885, 0.88], _covariance(4, 0.95))
    assert shared < 2.1 < near


@pytest.mark.parametrize("gap", [0.0, 0.03])
def test_it_holds_the_truth_as_often_as_it_says_and_the_plain_one_does_not(gap):
    rng = np.random.default_rng(0)
    covariance = _covariance(12, 0.2)
    root = np.linalg.cholesky(covariance)
    truth = 0.8 - gap * (np.arange(12) % 2)
    held, plain = [], []
    for _ in range(400):
        seen = truth + root @ rng.normal(size=12)
        top = int(seen.argmax())
        down, up = winner_reach(seen, covariance, top, df=1e6, level=0.95)
        held.append(seen[top] - down * SD <= truth[top] <= seen[top] + up * SD)
        plain.append(abs(seen[top] - truth[top]) <= 1.96 * SD)
    assert 0.925 <= np.mean(held) <= 0.98
    assert np.mean(plain) < 0.88


def test_one_cell_and_cells_without_error_have_nothing_to_correct():
    quantile = stats.t.ppf(0.975, 20)
    for means, covariance in (([0.9], [[SD**2]]), ([0.9, 0.8], np.zeros((2, 2)))):
        reach = winner_reach(np.array(means), np.array(covariance), 0, df=20, level=0.95)
        assert reach == pytest.approx((quantile, quantile))


def test_the_interval_of_a_share_reaches_as_far_as_it_is_given():
    estimate = Estimate(0.8, 0.04, 1e6)
    low, high = share_interval(estimate, 0.95, 100)
    assert share_interval(estimate, 0.95, 100, (1.96, 1.96)) == pytest.approx((low, high), abs=1e-4)
    down, below = share_interval(estimate, 0.95, 100, (3.0, -0.5))
    assert down < low
    assert low < below < 0.8
    # Seen from its ends, the observed share is as many standard errors off as was given.
    n = 0.8 * 0.2 / 0.04**2
    assert (0.8 - down) / np.sqrt(down * (1 - down) / n) == pytest.approx(3.0)
    assert (0.8 - below) / np.sqrt(below * (1 - below) / n) == pytest.approx(0.5)
