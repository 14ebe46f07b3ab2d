import numpy as np
import pytest
from statsmodels.stats.power import TTestPower

from frostline.stats.planning import need_of, seeds_for
from frostline.stats.variance import Spread


def test_seeds_needed_reaches_the_power_it_promises():
    # Seeds differ by 1 point (sd of the difference), images add nothing, the gap is 1 point.
    spread = Spread(0.01, 0.0, 0.01**2 / 3, 0.0, 3, 500)
    need = need_of(spread, equivalence=0.005, level=0.95)
    exact = TTestPower().solve_power(effect_size=1.0, alpha=0.05, power=0.8)
    assert need.seeds == pytest.approx(exact, abs=1.5)


def test_more_seeds_do_not_help_where_images_are_too_few():
    spread = Spread(0.01, 0.0004, 0.00002, 0.00001, 3, 60)
    need = need_of(spread, equivalence=0.005, level=0.95)
    assert need.seeds is None
    assert need.images_factor == pytest.approx(2.8016**2 * 4, rel=1e-3)
    with pytest.raises(ValueError, match="one seed"):
        need_of(Spread(0.1, 0.1, np.nan, np.nan, 1, 9), equivalence=0.005, level=0.95)


def test_seeds_for_an_assumed_spread():
    assert seeds_for(0.01, 0.01, level=0.95) == 16
    assert seeds_for(0.10, 0.01, level=0.95) == 3
