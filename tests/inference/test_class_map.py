"""Classes of another data set found among a run's, by name."""

import pytest

from frostline.errors import DataError
from frostline.inference.class_map import map_classes

OURS = ("Corn___Common_rust", "Corn___healthy", "Tomato___Late_blight")


def test_names_are_found_by_their_letters() -> None:
    found = map_classes(("corn - common rust", "Corn___healthy", "Tomato mosaic"), OURS, {})
    assert found.index.tolist() == [0, 1, -1]
    assert found.unknown == ("Tomato mosaic",)
    assert found.absent == ("Tomato___Late_blight",)
    assert found.respelt == {"corn - common rust": "Corn___Common_rust"}


def test_two_of_theirs_may_be_one_of_ours() -> None:
    found = map_classes(
        ("healthy maize", "Corn healthy"), OURS, {"healthy maize": "Corn___healthy"}
    )
    assert found.index.tolist() == [1, 1]


def test_letters_that_fit_twice_decide_nothing() -> None:
    found = map_classes(("a b", "c"), ("A_B", "a-b", "c"), {})
    assert found.index.tolist() == [-1, 2]


def test_mistakes_are_named() -> None:
    with pytest.raises(DataError, match="none of the 1 classes is one of the run's: 'cats'"):
        map_classes(("cats",), OURS, {})
    with pytest.raises(DataError, match="--map names unknown classes: 'dogs'"):
        map_classes(("cats",), OURS, {"dogs": "Corn___healthy"})
    with pytest.raises(DataError, match="--map names unknown classes: 'Corn'"):
        map_classes(("cats",), OURS, {"cats": "Corn"})
