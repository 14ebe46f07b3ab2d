"""From how many images one depth is ahead of another."""

import math

import numpy as np
import pytest

from experiments.tools.crossing import as_text, crossing

SIZES = (10.0, 100.0, 1000.0)


def test_a_line_through_zero_is_read_on_the_scale_of_the_logarithm():
    found = crossing(SIZES, (-0.2, -0.1, 0.1), (1e-9,) * 3)
    assert found.value == pytest.approx(10**2.5, rel=1e-6)
    assert found.low == pytest.approx(found.high, rel=1e-3) == pytest.approx(found.value, rel=1e-3)


@pytest.mark.parametrize(
    ("differences", "value"),
    [
        ((0.1, 0.2, 0.3), -math.inf),
        ((-0.3, -0.2, -0.1), math.inf),
        ((0.1, 0.2, -0.1), math.inf),  # ahead, but not for good
        ((0.1, -0.1, 0.1), 10**2.5),  # the last time counts
        ((0.0, 0.1, 0.2), 10.0),
    ],
)
def test_ahead_means_from_there_on(differences, value):
    assert crossing(SIZES, differences, (1e-12,) * 3).value == pytest.approx(value)


def test_an_end_that_was_not_tried_has_no_number():
    found = crossing(SIZES, (-0.05, 0.05, 0.3), (0.1, 0.1, 0.1))
    assert (found.low, found.value) == (-math.inf, pytest.approx(10**1.5))
    assert 30 < found.high < 1000
    assert as_text(found, SIZES).startswith("32 (below 10 to ")


def test_the_interval_holds_the_truth_as_often_as_it_says():
    truth, error, held, n = np.array([-0.1, 0.02, 0.14]), 0.03, 0, 300
    where = crossing(SIZES, truth, (1e-12,) * 3).value
    for seed in range(n):
        seen = truth + np.random.default_rng(seed).normal(0, error, 3)
        found = crossing(SIZES, seen, (error,) * 3, seed=seed)
        held += found.low <= where <= found.high
    assert 0.91 <= held / n <= 0.99


def test_sizes_must_ascend():
    with pytest.raises(ValueError, match="ascend"):
        crossing((10.0, 10.0), (0.1, 0.2), (0.1, 0.1))
