"""Classes of another data set found among a run's, by name."""

import pytest

from frostline.errors import DataError
from frostline.inference.class_map import check_names, map_classes, remedy

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


def test_a_misspelt_name_comes_with_the_nearest() -> None:
    with pytest.raises(DataError, match=r"nearest: Corn_helthy -> Corn___healthy\n.*the run's"):
        check_names(["Corn_helthy"], OURS, "the run's")
    check_names(["Corn___healthy"], OURS, "the run's")


def test_the_remedy_maps_to_absent_classes_with_like_names() -> None:
    left_out = map_classes(("Corn healthy", "Corn common rusts", "zebra"), OURS, {})
    assert remedy(left_out) == "--map 'Corn common rusts=Corn___Common_rust'"
    assert remedy(map_classes(("Bird", "Dog"), ("Birds", "Dog"), {})) == "--map Bird=Birds"
    assert remedy(map_classes(("Corn healthy", "zebra"), OURS, {})) == ""
