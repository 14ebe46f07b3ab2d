from itertools import pairwise

import numpy as np
import pytest

from frostline.data.splits import check_splits, keep_fraction, split_digest, split_table
from frostline.errors import DataError

FRACS = {"val_frac": 0.2, "test_frac": 0.2}


def class_shares(table, rows):
    return np.bincount(table.labels[rows], minlength=len(table.classes)).tolist()


def test_stratified_to_the_image(plain_table):
    table = plain_table([0] * 50 + [1] * 20 + [2] * 10)
    splits = split_table(table, **FRACS, seed=0)
    assert class_shares(table, splits.train) == [30, 12, 6]
    assert class_shares(table, splits.val) == [10, 4, 2]
    assert class_shares(table, splits.test) == [10, 4, 2]
    everything = np.concatenate([splits.train, splits.val, splits.test])
    assert sorted(everything.tolist()) == list(range(80))


def test_three_images_give_one_to_each_split(plain_table):
    table = plain_table([0] * 3 + [1] * 40)
    splits = split_table(table, **FRACS, seed=3)
    for rows in splits.named().values():
        assert class_shares(table, rows)[0] == 1


@pytest.mark.parametrize("seed", range(5))
def test_groups_stay_together_and_classes_everywhere(plain_table, seed):
    generator = np.random.default_rng(seed)
    labels, groups = [], []
    for label in range(4):
        for leaf in range(9):
            size = int(generator.integers(1, 7))
            labels += [label] * size
            groups += [f"{label}/{leaf}"] * size
    table = plain_table(labels, groups)
    splits = split_table(table, **FRACS, seed=seed)
    sides = [set(table.groups[rows]) for rows in splits.named().values()]
    assert not (sides[0] & sides[1] or sides[0] & sides[2] or sides[1] & sides[2])
    for rows in splits.named().values():
        assert min(class_shares(table, rows)) > 0
    assert abs(len(splits.train) / len(table) - 0.6) < 0.1


def test_groups_of_several_classes(plain_table):
    # Each plot shows all three classes: whole plots move.
    table = plain_table([0, 1, 2] * 10, [f"plot{k // 3}" for k in range(30)])
    splits = split_table(table, **FRACS, seed=0)
    assert class_shares(table, splits.test) == [2, 2, 2]
    assert class_shares(table, splits.train) == [6, 6, 6]


def test_splits_depend_on_the_seed(plain_table):
    table = plain_table([0, 1] * 50)
    first = split_table(table, **FRACS, seed=0)
    again = split_table(table, **FRACS, seed=0)
    other = split_table(table, **FRACS, seed=1)
    assert split_digest(table, first) == split_digest(table, again)
    assert split_digest(table, first) != split_digest(table, other)


def test_two_images_in_a_class_are_too_few(plain_table):
    with pytest.raises(DataError, match=r"class 'class1' has 2 images.*\n.*at least 3"):
        split_table(plain_table([0] * 9 + [1] * 2), **FRACS, seed=0)


def test_two_groups_in_a_class_are_too_few(plain_table):
    table = plain_table([0] * 9 + [1] * 4, [*map(str, range(9)), "a", "a", "b", "b"])
    with pytest.raises(DataError, match="class 'class1' has 4 images in 2 groups"):
        split_table(table, **FRACS, seed=0)


def test_given_splits_are_used(plain_table):
    given = ["train", "train", "val", "test"] * 3
    table = plain_table([0] * 4 + [1] * 4 + [2] * 4, given=given)
    splits = split_table(table, **FRACS, seed=0)
    assert splits.val.tolist() == [2, 6, 10]
    assert splits.test.tolist() == [3, 7, 11]


def test_missing_validation_is_taken_from_training(plain_table):
    given = (["train"] * 20 + ["test"] * 5) * 2
    table = plain_table([0] * 25 + [1] * 25, given=given)
    splits = split_table(table, **FRACS, seed=0)
    assert (table.given_split[splits.test] == "test").all()
    assert class_shares(table, splits.val) == [4, 4]
    assert class_shares(table, splits.train) == [16, 16]


def test_group_in_two_given_splits_is_an_error(plain_table):
    table = plain_table(
        [0, 0, 0, 1, 1, 1],
        ["a", "b", "a", "c", "d", "e"],
        ["train", "val", "test", "train", "val", "test"],
    )
    with pytest.raises(DataError, match=r"1 groups are in more than one split, such as 'a'"):
        split_table(table, **FRACS, seed=0)


def test_class_missing_from_a_given_split(plain_table):
    given = ["train", "val", "test", "train", "val", "train"]
    table = plain_table([0, 0, 0, 1, 1, 1], given=given)
    with pytest.raises(DataError, match="the test split has no image of class 'class1'"):
        split_table(table, **FRACS, seed=0)
    splits = split_table(table, **FRACS, seed=0, missing_class="allow")
    assert splits.test.tolist() == [2]


def test_class_missing_from_training_is_never_allowed(plain_table):
    given = ["train", "val", "test", "val", "val", "test"]
    table = plain_table([0, 0, 0, 1, 1, 1], given=given)
    with pytest.raises(DataError, match="the train split has no image of class 'class1'"):
        split_table(table, **FRACS, seed=0, missing_class="allow")


def test_fractions_that_leave_nothing(plain_table):
    with pytest.raises(DataError, match="leave nothing to train on"):
        split_table(plain_table([0, 1] * 10), val_frac=0.5, test_frac=0.5, seed=0)


def test_fractions_are_stratified_nested_and_of_training_only(plain_table):
    labels = [0] * 100 + [1] * 20
    table = plain_table(labels, [f"g{k // 2}" for k in range(120)])
    whole = split_table(table, **FRACS, seed=0)
    half = split_table(table, **FRACS, seed=0, train_fraction=0.5)
    tenth = split_table(table, **FRACS, seed=0, train_fraction=0.1)
    assert half.val.tolist() == whole.val.tolist()
    assert half.test.tolist() == whole.test.tolist()
    assert class_shares(table, half.train) == [30, 6]
    assert class_shares(table, tenth.train) == [6, 2]
    assert set(tenth.train) < set(half.train) < set(whole.train)


def test_fraction_keeps_a_group_of_every_class(plain_table):
    table = plain_table([0] * 100 + [1] * 5)
    rows = keep_fraction(table, np.arange(105), fraction=0.01, seed=0)
    assert class_shares(table, rows) == [1, 1]


def test_empty_split_is_an_error(plain_table):
    table = plain_table([0, 1] * 3)
    splits = split_table(table, **FRACS, seed=0)
    with pytest.raises(DataError, match="the val split has no image"):
        check_splits(table, type(splits)(splits.train, np.array([], dtype=np.int64), splits.test))


def test_a_fraction_keeps_classes_that_share_all_their_groups(plain_table):
    # Each group begins with an image of class 0 and holds one of class 1, 2 or 3 beside it.
    labels, groups = [], []
    for k in range(60):
        labels += [0, 1 + k % 3]
        groups += [f"plant{k:02d}"] * 2
    table = plain_table(labels, groups=groups)
    for seed in range(5):
        nested = [
            keep_fraction(table, np.arange(120), fraction=fraction, seed=seed)
            for fraction in (0.01, 0.1, 0.5, 1.0)
        ]
        assert [len(np.unique(table.labels[rows])) for rows in nested] == [4] * 4
        for small, large in pairwise(nested):
            assert set(small) <= set(large)
        assert len(nested[0]) <= 8 and len(nested[3]) == 120
