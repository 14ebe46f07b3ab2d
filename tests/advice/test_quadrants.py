"""The rules by value: axes, borders, doubts."""

import math

import pytest

from frostline.advice.choose import distances
from frostline.advice.quadrants import place, too_few
from frostline.advice.similarity import Reference, Similarity, between, log_odds, similarity_of

LIKE = Reference("photos", "similar", 0.5, 0.3, 0.4, 100)
UNLIKE = Reference("drawings", "different", 0.1, 0.1, 0.8, 100)
OTHER = Reference("negatives", "between", 0.4, 0.2, 0.5, 100)


def at(position: float, *, first: float | None = None, error: float = 0.01) -> Similarity:
    own = position if first is None else first
    return Similarity(position, own, 2 * position - own, error)


@pytest.mark.parametrize(
    ("images", "classes", "position", "name"),
    [
        (50_000, 10, 0.9, "large_similar"),
        (50_000, 10, 0.1, "large_different"),
        (500, 10, 0.9, "small_similar"),
        (500, 10, 0.1, "small_different"),
        (20_000, 20, 0.5, "large_similar"),  # the borders belong to `large` and to `similar`
        (19_980, 20, 0.499, "small_different"),
    ],
)
def test_the_four_quadrants(images: int, classes: int, position: float, name: str) -> None:
    assert place(images, classes, at(position)).name == name


def test_distances_from_the_borders() -> None:
    result = place(1_000, 10, at(0.2))
    assert result.size_distance == pytest.approx(-1.0)
    assert result.similarity_distance == pytest.approx(-0.3)
    assert result.doubts == ()


def test_distances_are_told_in_plain_words() -> None:
    small = distances(place(82, 6, at(-0.65)))
    assert small == "size 73 times below its border, similarity 1.15 below its border"
    large = distances(place(4_400, 2, at(0.9)))
    assert large == "size 2.2 times above its border, similarity 0.40 above its border"


def test_two_borders_of_size_that_disagree_are_doubts() -> None:
    (doubt,) = place(10_000, 2, at(0.9)).doubts
    assert doubt.startswith("10,000 images in all are small by the border of 20,000, and 5,000 a")
    assert len(place(54_000, 1_000, at(0.9)).doubts) == 1
    assert place(54_000, 38, at(0.9)).doubts == ()


def test_measures_that_disagree_and_a_near_border_are_doubts() -> None:
    split = place(500, 10, at(0.6, first=0.2))
    assert split.similar
    assert "disagree: 0.20 and 1.00" in split.doubts[0]
    (near,) = place(500, 10, at(0.51, error=0.02)).doubts
    assert "two standard errors" in near


def test_references_are_the_ends_of_the_axis() -> None:
    result = similarity_of(0.5, 0.01, 0.3, 0.01, [LIKE, UNLIKE, OTHER])
    assert (result.position, result.by_confidence, result.by_agreement) == pytest.approx((1, 1, 1))
    assert similarity_of(0.1, 0.0, 0.1, 0.0, [LIKE, UNLIKE]).position == pytest.approx(0)
    middle = 1 / (1 + math.exp((math.log(9)) / 2))  # half way in log odds from .5 to .1
    assert similarity_of(middle, 0.0, 0.2, 0.0, [LIKE, UNLIKE]).position == pytest.approx(0.5)


def test_errors_are_carried_to_the_axis() -> None:
    result = similarity_of(0.5, 0.01, 0.3, 0.02, [LIKE, UNLIKE])
    expected = (0.01 * 4 / (log_odds(0.5) - log_odds(0.1)) + 0.02 / 0.2) / 2
    assert result.error == pytest.approx(expected)


def test_an_axis_needs_both_ends() -> None:
    with pytest.raises(ValueError, match="similar"):
        similarity_of(0.5, 0.0, 0.3, 0.0, [UNLIKE])
    with pytest.raises(ValueError, match="the same"):
        between(1.0, 2.0, 2.0)


def test_twelve_images_are_too_few() -> None:
    assert "12 training images" in too_few(12)
    assert too_few(40) == ""
