"""Marks on axes: few, and each a number that is read as it stands."""

import pytest

from frostline.reporting.axis_ticks import MAX_MARKS, log_marks, short_number, whole_step


@pytest.mark.parametrize(
    ("low", "high", "marks"),
    [
        (1.6, 98, [2, 5, 10, 20, 50]),
        (8_500, 23_500_000, [1e4, 1e5, 1e6, 1e7]),
        (3, 4, [2, 5]),
        (3, 6, [2, 5, 10]),
        (20, 50, [20, 50]),
        (0.02, 0.3, [0.02, 0.05, 0.1, 0.2]),
        (7, 7, [5, 10]),
    ],
)
def test_marks_of_logarithmic_axes(low, high, marks):
    assert log_marks(low, high) == pytest.approx(marks)


@pytest.mark.parametrize("power", range(1, 13))
def test_however_wide_the_axis_is_its_marks_are_few(power):
    assert 2 <= len(log_marks(3.0, 3.0 * 10**power)) <= MAX_MARKS


@pytest.mark.parametrize(
    ("n", "step"), [(1, 1), (6, 1), (7, 2), (12, 2), (30, 5), (31, 10), (90, 20), (1000, 200)]
)
def test_steps_of_whole_numbers(n, step):
    assert whole_step(n) == step


def test_numbers_stand_whole():
    shown = [short_number(value) for value in (0.5, 20, 2000, 5e6, 1e9, 1500)]
    assert shown == ["0.5", "20", "2k", "5M", "1G", "1.5k"]
