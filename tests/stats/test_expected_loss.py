import numpy as np
import pytest

from frostline.stats.expected_loss import (
    chance_best,
    cheapest_within,
    expected_loss,
    likely_spread,
    posterior_draws,
)


def _loss(means, sd):
    means = np.asarray(means, float)
    return expected_loss(posterior_draws(means, sd**2 * np.eye(len(means))))


def test_losses_of_known_draws():
    draws = np.array([[0.9, 0.8, 0.7], [0.8, 0.9, 0.7], [0.9, 0.5, 0.7]])
    assert expected_loss(draws) == pytest.approx([0.1 / 3, 0.1 / 3, 0.4 / 3])
    # The first and the third share the first draw, all three of the last draw are equal.
    assert chance_best(draws) == pytest.approx([(0.5 + 1 / 3) / 3, (1 + 1 / 3) / 3, 2.5 / 9])


def test_where_errors_are_small_a_loss_is_the_distance_from_the_best():
    assert _loss([0.9, 0.85, 0.7], 1e-4) == pytest.approx([0, 0.05, 0.2], abs=1e-3)


def test_weak_evidence_moves_cells_together_and_costs_the_highest_too():
    weak = _loss([0.9, 0.85, 0.7], 0.1)
    assert weak[0] > 0.01
    assert weak[0] < weak[1] < weak[2]
    assert weak[2] - weak[0] < 0.15


def test_what_all_cells_share_does_not_decide_between_them():
    means = np.array([0.9, 0.87, 0.86, 0.84])
    alone = 0.01**2 * np.eye(4)
    shared = alone + 0.1**2
    got, wanted = (expected_loss(posterior_draws(means, c)) for c in (shared, alone))
    assert got == pytest.approx(wanted, abs=5e-4)


def test_a_cell_of_large_error_is_drawn_further_towards_the_others():
    covariance = np.diag([0.08, 0.01, 0.01, 0.01]) ** 2
    lucky = expected_loss(posterior_draws(np.array([0.92, 0.9, 0.89, 0.88]), covariance))
    assert lucky[1] < lucky[0]


def test_equal_cells_without_any_error_lose_nothing_and_share_the_chance():
    draws = posterior_draws(np.full(4, 0.9), np.zeros((4, 4)))
    assert expected_loss(draws) == pytest.approx(np.zeros(4), abs=1e-9)
    assert chance_best(draws) == pytest.approx(np.full(4, 0.25))


def test_one_cell_is_the_best():
    draws = posterior_draws(np.array([0.9]), np.array([[0.01]]))
    assert expected_loss(draws) == pytest.approx([0])
    assert chance_best(draws) == pytest.approx([1])


def test_the_posterior_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(3)
    held = []
    for _ in range(60):
        truth = 0.85 + rng.normal(0, 0.03, 12)
        observed = truth + rng.normal(0, 0.02, 12)
        draws = posterior_draws(observed, 0.02**2 * np.eye(12), draws=1000)
        low, high = np.quantile(draws, [0.025, 0.975], axis=1)
        held += ((low <= truth) & (truth <= high)).tolist()
    assert 0.93 <= np.mean(held) <= 0.97


def test_the_cheapest_within_the_tolerance_is_taken_not_the_cheapest_of_all():
    losses, costs = [0.002, 0.011, 0.10], [100.0, 10.0, 1.0]
    assert cheapest_within(losses, costs, 0.01, same_cost=1.1) == 1
    assert cheapest_within(losses, costs, 0.008, same_cost=1.1) == 0
    assert cheapest_within(losses, costs, 1.0, same_cost=1.1) == 2
    assert cheapest_within([0.002, 0.001], [10.0, 10.5], 0.01, same_cost=1.1) == 1


def test_shapes_and_numbers_are_checked():
    with pytest.raises(ValueError, match=r"covariance \(2, 2\) for 3 cells"):
        posterior_draws(np.zeros(3), np.eye(2))
    with pytest.raises(ValueError, match="finite"):
        posterior_draws(np.array([np.nan, 1.0]), np.eye(2))


def test_cells_that_hardly_err_do_not_lift_one_that_is_clearly_lower():
    # Three near 100 %, and two that err alike, 3 standard errors lower: those stay far below, and
    # the third, which errs on the same images as they do, is not lifted above the highest.
    means = np.array([1.0, 0.992, 0.983, 0.86, 0.85])
    covariance = np.diag([3.1, 3.1, 3.1, 20.0, 20.0])
    covariance[3, 4] = covariance[4, 3] = 19.0
    covariance[2, 3:] = covariance[3:, 2] = 6.0
    draws = posterior_draws(means, covariance * 1e-4)
    at = draws.mean(axis=1)
    assert set(np.argsort(-at)[:3]) == {0, 1, 2}
    assert at[3:].max() < 0.92
    assert chance_best(draws)[0] > max(chance_best(draws)[1:])
    assert likely_spread(means, covariance * 1e-4) > 0.05
