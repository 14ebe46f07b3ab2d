"""Tables of a study over images a class: how far arms are ahead, at which sizes, from where on."""

import pytest

from experiments.tools.comparisons import Measured
from experiments.tools.data_share import Size, differences, tables
from frostline.stats.intervals import Estimate

ARMS = ("head", "few", "many")


def size(data, images, shares, se=1e-6):
    """Accuracies of the arms; differences are theirs, with one standard error."""
    scores = {arm: Measured(x, x - 0.01, x + 0.01) for arm, x in zip(ARMS, shares, strict=True)}
    pairs = [("head", "few"), ("head", "many"), ("few", "many")]
    ahead = {
        (other, arm): Estimate(scores[arm].value - scores[other].value, se, 1e6)
        for other, arm in pairs
    }
    return Size(data, images, 3, scores, ahead)


SIZES = [
    size("paint", 10, (0.7, 0.8, 0.7)),
    size("paint", 1000, (0.8, 0.9, 0.95)),
    size("photos", 10, (0.9, 0.8, 0.7)),
    size("photos", 100, (0.9, 0.85, 0.8)),
]


def test_each_reference_has_a_table_of_those_behind_it():
    text = tables(SIZES, n_runs=12, n_jobs=20)
    assert "12 of 20 runs" in text
    assert "| paint | 1000 | 3 | 80.0 (79.0 to 81.0) | 90.0 (89.0 to 91.0) |" in text
    head, few = text.split("Points ahead of ")[1:]
    assert head.startswith("head ") and few.startswith("few ")
    assert [line.split(" | ")[1] for line in few.splitlines() if line.startswith("| p")] == [
        "many",
        "many",
    ]


def test_points_stand_under_their_size_and_what_was_not_tried_is_empty():
    *_, paint, photos = differences(SIZES, "few")
    assert paint == (
        "| paint | many | -10.0 (-10.0 to -10.0) |  | +5.0 (+5.0 to +5.0) | 215 (215 to 215) |"
    )
    assert photos.startswith("| photos | many | -10.0 (-10.0 to -10.0) | -5.0 (-5.0 to -5.0) |  |")
    assert photos.endswith("above 100 (above 100 to above 100) |")


def test_the_interval_is_of_the_estimate():
    (row,) = differences([size("paint", 10, (0.7, 0.8, 0.82), se=0.01)], "few")[-1:]
    low, high = Estimate(0.02, 0.01, 1e6).interval(0.95)
    assert f"+2.0 ({100 * low:+.1f} to {100 * high:+.1f})" in row
    assert (low, high) == pytest.approx((0.0004, 0.0396), abs=1e-4)
