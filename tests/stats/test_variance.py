import numpy as np
import pytest

from frostline.stats.variance import (
    NO_PRIOR,
    Spread,
    estimate,
    learn_prior,
    prior_elsewhere,
    spread_of,
)


def _spread(between, noise, n_seeds=2, items=2e-4, n_groups=60):
    return Spread(0.9, items, between, noise, n_seeds, n_groups)


def test_seeds_add_the_same_on_other_images():
    # Seeds add 2e-4 to each; on the test images the groups explain four times as much.
    family = [_spread(3e-4, 1e-4)] * 6
    prior = prior_elsewhere(family, family[0], _spread(1e-5, 4e-4))
    assert prior.ratio == pytest.approx(1 + (learn_prior(family).ratio - 1) / 4)
    assert prior.pooled_df == 6


def test_a_lucky_agreement_of_two_seeds_is_not_believed():
    family = [_spread(b, 1e-4) for b in (2e-4, 3e-4, 1e-4, 4e-4, 3e-4, 2e-4)]
    lucky, unlucky = _spread(1e-8, 1e-4), _spread(9e-4, 1e-4)
    own = [estimate(one, NO_PRIOR) for one in (lucky, unlucky)]
    moved = [estimate(one, prior_elsewhere(family, family[0], one)) for one in (lucky, unlucky)]
    assert own[0].se < moved[0].se
    assert moved[1].se < own[1].se
    assert moved[1].df > own[1].df


@pytest.mark.parametrize(
    ("family", "other"),
    [
        ([_spread(3e-4, 1e-4)], _spread(1e-4, 1e-4)),
        ([_spread(np.nan, np.nan, 1)] * 4, _spread(np.nan, np.nan, 1)),
        ([_spread(3e-4, 1e-4)] * 4, _spread(1e-4, 0.0)),
        ([_spread(3e-4, 1e-4)] * 4, _spread(1e-4, 1e-4, 3)),
    ],
)
def test_where_the_family_says_nothing_the_cell_speaks_for_itself(family, other):
    assert prior_elsewhere(family, family[0], other) is NO_PRIOR


def test_a_sum_of_seeds_and_images_is_that_of_a_two_way_table():
    """Against the variances of a two-way table of 4 seeds by 50 images, computed by hand."""
    table = np.random.default_rng(0).normal(0.5, 1, (4, 50))
    groups = [np.arange(50).astype(str)] * 4
    values = table.mean(axis=1)
    got = spread_of(values, [(row - row.mean()) / 50 for row in table], groups)
    assert got.value == pytest.approx(table.mean())
    assert got.items == pytest.approx(
        (table - values[:, None]).mean(axis=0).var(ddof=1) / 50, rel=1e-6
    )
    assert got.between == pytest.approx(values.var(ddof=1) / 4)
