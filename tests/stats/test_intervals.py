import numpy as np
import pytest
from scipy import stats as scipy_stats
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from frostline.stats import intervals


def test_seeds_to_mean_sd_and_interval():
    got = intervals.summarise_seeds([0.90, 0.92, 0.97], 0.95)
    low, high = scipy_stats.ttest_1samp([0.90, 0.92, 0.97], 0).confidence_interval(0.95)
    assert (got.mean, got.sd, got.n) == (pytest.approx(0.93), pytest.approx(0.0360555), 3)
    assert (got.low, got.high) == (pytest.approx(low), pytest.approx(high))


def test_one_seed_has_no_interval():
    got = intervals.summarise_seeds([0.9], 0.95)
    assert got.mean == 0.9
    assert np.isnan([got.sd, got.low, got.high]).all()
    with pytest.raises(ValueError, match="no seeds"):
        intervals.summarise_seeds([], 0.95)


@pytest.mark.parametrize("hits", [7, 150, 193])
def test_a_share_of_independent_items_has_wilsons_interval(hits):
    share = hits / 200
    estimate = intervals.Estimate(share, (share * (1 - share) / 200) ** 0.5, 1e9)
    assert intervals.share_interval(estimate, 0.95, 200) == pytest.approx(
        proportion_confint(hits, 200, method="wilson"), abs=1e-6
    )


def test_an_interval_at_one_still_has_a_width():
    low, high = intervals.share_interval(intervals.Estimate(1.0, 0.0, 1e9), 0.95, 50)
    assert high == pytest.approx(1.0)
    assert low == pytest.approx(proportion_confint(50, 50, method="wilson")[0], abs=1e-6)


@pytest.mark.parametrize(("a", "b"), [(0, 0), (1, 9), (12, 12), (3, 21), (10, 15), (40, 22)])
def test_mcnemar_as_statsmodels(a, b):
    exact = a + b < 25
    expected = 1.0 if a + b == 0 else reference_mcnemar([[5, a], [b, 5]], exact=exact).pvalue
    assert intervals.mcnemar(a, b) == pytest.approx(expected)


def test_holm_as_statsmodels_and_in_the_given_order():
    p = [0.03, 0.001, 0.04, 0.8, 0.0004]
    assert intervals.holm(p) == pytest.approx(multipletests(p, method="holm")[1])


def test_holm_of_a_part_is_never_smaller_than_of_the_whole():
    p = np.random.default_rng(0).uniform(0, 0.1, 30)
    whole = multipletests(p, method="holm")[1]
    part = intervals.holm(p[:7], family_size=30)
    assert (part >= whole[:7] - 1e-12).all()
    with pytest.raises(ValueError, match="family_size=2"):
        intervals.holm(p, family_size=2)


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        ((-0.004, 0.005), "alike"),
        ((0.001, 0.004), "alike"),
        ((0.001, 0.02), "better"),
        ((-0.03, -0.001), "worse"),
        ((-0.02, 0.001), "open"),
    ],
)
def test_relation_to_the_region_of_practical_equivalence(interval, expected):
    assert intervals.relation(interval, 0.005) == expected


def test_bootstrap_over_groups_counts_the_photos_of_a_leaf_as_one():
    rng = np.random.default_rng(1)
    leaf = rng.uniform(size=100) < 0.8
    counts = np.column_stack([4.0 * leaf, np.full(100, 4.0)])

    def share(sums):
        return sums[:, 0] / sums[:, 1]

    low, high = intervals.bootstrap_by_group(counts, share, repeats=4000, level=0.95, seed=0)
    as_photos = np.repeat(counts / 4, 4, axis=0)
    photo_low, photo_high = intervals.bootstrap_by_group(
        as_photos, share, repeats=4000, level=0.95, seed=0
    )
    se = (leaf.mean() * (1 - leaf.mean()) / 100) ** 0.5
    assert high - low == pytest.approx(2 * 1.96 * se, rel=0.1)
    assert (high - low) / (photo_high - photo_low) == pytest.approx(2, rel=0.1)


def test_bootstrap_of_a_class_that_never_occurs_is_nan():
    def never(sums):
        return np.column_stack([sums[:, 0], np.full(len(sums), np.nan)])

    low, high = intervals.bootstrap_by_group(np.ones((9, 1)), never, repeats=50, level=0.9, seed=0)
    assert low[0] == high[0] == 9
    assert np.isnan([low[1], high[1]]).all()
