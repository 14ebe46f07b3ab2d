"""Classes of another data set found among a run's, by name."""

import pytest

from frostline.errors import DataError
from frostline.inference.class_map import map_classes

OURS = ("Corn___Common_rust", "Corn___healthy", "Tomato___Late_blight")


def test_names_are_found_by_their_letters() -> None:
    result = map_classes(("corn - common rust", "Corn___healthy", "Tomato mosaic"), OURS, {})
    assert result.index.tolist() == [0, 1, -1]
    assert result.unknown == ("Tomato mosaic",)
    assert result.absent == ("Tomato___Late_blight",)
    assert result.respelt == {"corn - common rust": "Corn___Common_rust"}


def test_two_of_theirs_may_be_one_of_ours() -> None:
    result = map_classes(
        ("healthy maize", "Corn healthy"), OURS, {"healthy maize": "Corn___healthy"}
    )
    assert result.index.tolist() == [1, 1]


def test_letters_that_fit_twice_decide_nothing() -> None:
    result = map_classes(("a b", "c"), ("A_B", "a-b", "c"), {})
    assert result.index.tolist() == [-1, 2]


def test_mistakes_are_named() -> None:
    with pytest.raises(DataError, match="none of the 1 classes is one of the run's: 'cats'"):
        map_classes(("cats",), OURS, {})
    with pytest.raises(DataError, match="--map names unknown classes: 'dogs'"):
        map_classes(("cats",), OURS, {"dogs": "Corn___healthy"})
    with pytest.raises(DataError, match="--map names unknown classes: 'Corn'"):
        map_classes(("cats",), OURS, {"cats": "Corn"})
