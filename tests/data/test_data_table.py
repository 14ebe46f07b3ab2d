import pickle

import numpy as np
import pytest
from PIL import Image

from frostline.data.sample_table import SampleTable, fingerprint_of, name_some
from frostline.errors import DataError


def table(items, labels, classes, given=None):
    return SampleTable(
        name="t",
        items=tuple(items),
        labels=np.array(labels, dtype=np.int64),
        groups=np.array(list(items)),
        given_split=given,
        classes=tuple(classes),
        fingerprint="f",
        open_image=Image.open,
    )


def test_counts_in_class_order():
    assert table("abc", [1, 0, 1], ["x", "y"]).counts() == {"x": 1, "y": 2}


@pytest.mark.parametrize("label", [3, -1])
def test_label_outside_the_classes_is_an_error(label):
    with pytest.raises(DataError, match=rf"label {label} of c is not a class"):
        table("abc", [0, 1, label], ["x", "y"])


def test_one_class_only():
    with pytest.raises(DataError, match="only one class: 'x'"):
        table("ab", [0, 0], ["x"])


def test_class_without_images_is_named():
    with pytest.raises(DataError, match="no readable image in class 'z'"):
        table("ab", [0, 1], ["x", "y", "z"])


def test_repeated_item_is_named():
    with pytest.raises(DataError, match="more than once: 'a'"):
        table("aab", [0, 0, 1], ["x", "y"])


def test_columns_of_different_length():
    with pytest.raises(DataError, match="2 images but 3 labels"):
        table("ab", [0, 1, 1], ["x", "y"])


def test_unknown_split_name():
    with pytest.raises(DataError, match="unknown split 'dev'"):
        table("ab", [0, 1], ["x", "y"], given=np.array(["train", "dev"]))


def test_errors_survive_pickling():
    with pytest.raises(DataError) as caught:
        table("ab", [0, 0], ["x"])
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_fingerprint_sees_every_column():
    items, labels, groups = ["a", "b"], np.array([0, 1]), np.array(["a", "b"])
    base = fingerprint_of(items, labels, groups, None, ["x", "y"], ["1", "2"])
    others = [
        fingerprint_of(["a", "c"], labels, groups, None, ["x", "y"], ["1", "2"]),
        fingerprint_of(items, labels[::-1], groups, None, ["x", "y"], ["1", "2"]),
        fingerprint_of(items, labels, np.array(["a", "a"]), None, ["x", "y"], ["1", "2"]),
        fingerprint_of(items, labels, groups, np.array(["train", "val"]), ["x", "y"], ["1", "2"]),
        fingerprint_of(items, labels, groups, None, ["x", "z"], ["1", "2"]),
        fingerprint_of(items, labels, groups, None, ["x", "y"], ["1", "3"]),
    ]
    assert len({base, *others}) == 7
    assert base == fingerprint_of(items, labels, groups, None, ["x", "y"], ["1", "2"])


def test_name_some_counts_the_rest():
    assert name_some("abcd", limit=2) == "'a', 'b' and 2 more"
