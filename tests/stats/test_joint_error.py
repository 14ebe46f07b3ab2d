import numpy as np
import pytest

from frostline.stats.expected_loss import expected_loss, posterior_draws
from frostline.stats.joint_error import joint_error
from frostline.stats.paired import cell_spread, pair_spread, scored
from frostline.stats.predictions import Predictions


def _run(right, groups=None):
    items = np.array([f"{k:04d}" for k in range(len(right))])
    labels = np.zeros(len(right), np.int64)
    probs = np.eye(2, dtype=np.float16)[np.where(right, 0, 1)]
    made = Predictions(items, items if groups is None else groups, labels, probs)
    return scored(made, "acc_micro")


def _cells(seeds, n_cells=4, n_items=120, seed_sd=0.0, rng_seed=0):
    rng = np.random.default_rng(rng_seed)
    hard = rng.normal(size=n_items)
    return {
        f"c{c}": {
            str(s): _run(hard + rng.normal(size=n_items) < 1 + rng.normal(0, seed_sd))
            for s in range(seeds)
        }
        for c in range(n_cells)
    }


def test_the_variance_of_a_difference_is_the_pairs_own():
    cells = _cells(1, 2)
    got = joint_error(cells, {})
    of_difference = got.covariance[0, 0] + got.covariance[1, 1] - 2 * got.covariance[0, 1]
    assert of_difference == pytest.approx(pair_spread(cells["c0"], cells["c1"]).items)
    assert got.covariance[0, 1] > 0
    assert got.covariance[1, 1] == pytest.approx(cell_spread(cells["c1"]).items)
    assert not got.knows_seeds
    assert got.seeds_part == pytest.approx(np.zeros(2))


def test_cells_on_other_images_share_no_error():
    cells = _cells(1, 2)
    own = cells["c1"]["0"]
    moved = {
        "1": type(own)(
            own.value, own.influence, own.correct, own.items, np.char.add(own.groups, "x")
        )
    }
    assert joint_error({"a": cells["c0"], "b": moved}, {}).covariance[0, 1] == 0


def test_a_lone_seed_is_given_the_seed_variance_of_the_others():
    cells = _cells(3, 6, seed_sd=0.6)
    cells["lucky"] = {"0": cells["c0"]["0"]}
    got = joint_error(cells, {})
    assert got.knows_seeds
    usual = got.seeds_part[:-1].mean()
    assert usual > 0
    assert got.seeds_part[-1] == pytest.approx(3 * usual)


def test_the_choice_of_a_rate_adds_its_doubt():
    cells = _cells(1, 2)
    plain, doubtful = joint_error(cells, {}), joint_error(cells, {"c1": 0.02})
    added = doubtful.covariance - plain.covariance
    assert added == pytest.approx(np.diag([0, 0.01**2]))


def test_right_on_every_image_is_not_known_without_error():
    right = np.ones(80, bool)
    groups = np.repeat(np.array([f"g{k:02d}" for k in range(40)]), 2)
    half = np.arange(80) % 2 == 0
    got = joint_error({"all": {"0": _run(right, groups)}, "half": {"0": _run(half, groups)}}, {})
    # One more group all right and one all wrong: 1.8 points with 40 groups.
    assert got.covariance[0, 0] == pytest.approx(0.5 / 40**2)
    assert got.covariance[1, 1] == pytest.approx(0.5 / 40**2)  # each group is half right
    assert got.covariance[0, 1] == 0


def test_many_cells_on_few_groups_are_ranked_by_their_scores():
    """24 cells and 20 groups: without care some differences seem to have no error at all."""
    for rng_seed in range(5):
        cells = _cells(1, 24, 20, seed_sd=0.3, rng_seed=rng_seed)
        got = joint_error(cells, {})
        losses = expected_loss(posterior_draws(got.means, got.covariance))
        assert got.means[losses.argmin()] == got.means.max()
        equal = got.means == got.means.max()
        assert np.ptp(losses[equal]) < 0.01


def test_a_correlation_that_many_groups_tell_stays_as_it_is():
    cells = _cells(1, 4, 4000) | {
        f"other{k}": seeds for k, seeds in enumerate(_cells(1, 4, 4000, rng_seed=1).values())
    }
    got = joint_error(cells, {}).covariance
    for one, other in ((0, 1), (0, 4)):
        pair = list(cells.values())[one], list(cells.values())[other]
        of_difference = got[one, one] + got[other, other] - 2 * got[one, other]
        assert of_difference == pytest.approx(pair_spread(*pair).items, rel=0.03)


def test_cells_that_share_no_image_share_no_error_among_others_that_do():
    cells = _cells(1, 4)
    for name in ("c2", "c3"):
        own = cells[name]["0"]
        cells[name] = {
            "0": type(own)(
                own.value, own.influence, own.correct, own.items, np.char.add(own.groups, "x")
            )
        }
    got = joint_error(cells, {}).covariance
    assert np.all(got[:2, 2:] == 0)
    assert got[0, 1] > 0
    assert got[2, 3] > 0
