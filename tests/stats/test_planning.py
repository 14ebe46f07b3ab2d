import numpy as np
import pytest
from statsmodels.stats.power import TTestPower

from frostline.stats.planning import smallest_gap
from frostline.stats.variance import Spread


def test_the_smallest_gap_is_found_with_the_power_it_promises():
    # Seeds differ by 1 point (sd of the difference), images add nothing.
    spread = Spread(0.2, 0.0, 0.01**2 / 3, 0.0, 3, 500)
    gap = smallest_gap(spread, 10, df=2, alpha=0.05)
    power = TTestPower().power(effect_size=gap / 0.01, nobs=10, alpha=0.05)
    assert power == pytest.approx(0.8, abs=0.03)


def test_it_does_not_depend_on_the_observed_difference():
    near, far = (Spread(value, 4e-4, 2e-4, 1e-4, 3, 60) for value in (0.001, 0.3))
    assert smallest_gap(near, 5, df=3, alpha=0.05) == smallest_gap(far, 5, df=3, alpha=0.05)


def test_more_seeds_do_not_help_beyond_what_the_images_leave():
    one_split = Spread(0.01, 0.0004, 0.00002, 0.00001, 3, 60)
    gaps = [smallest_gap(one_split, n, df=2, alpha=0.05) for n in (2, 3, 5, 10, 1000)]
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] == pytest.approx(2.8016 * 0.00039**0.5, rel=0.01)


def test_one_seed_says_nothing_about_seeds():
    with pytest.raises(ValueError, match="one seed"):
        smallest_gap(Spread(0.1, 0.1, np.nan, np.nan, 1, 9), 3, df=8, alpha=0.05)


def test_what_is_known_of_seeds_from_other_cells_counts():
    spread = Spread(0.01, 4e-4, 2e-4, 1e-4, 2, 60)
    assert smallest_gap(spread, 2, df=8, alpha=0.05) < smallest_gap(spread, 2, df=1, alpha=0.05) / 3
