import numpy as np
import pytest

from frostline.stats.lone_classes import lone_classes, lone_share
from frostline.stats.paired import scored
from frostline.stats.predictions import Predictions


def _run(labels, groups, score="f1_macro"):
    labels = np.asarray(labels)
    items = np.array([f"{k:03d}" for k in range(len(labels))])
    probs = np.eye(4, dtype=np.float16)[labels]
    return scored(Predictions(items, np.asarray(groups), labels.astype(np.int64), probs), score)


def test_a_class_of_one_group_is_found_unless_another_seed_has_another_group():
    one = _run([0, 0, 1, 1, 2], ["a", "b", "c", "c", "d"])
    assert lone_classes({"0": one}) == [1, 2]
    assert lone_share({"0": one}, {"0": one}) == pytest.approx(2 / 3)
    other = _run([0, 0, 1, 1, 2], ["a", "b", "c", "e", "d"])
    assert lone_classes({"0": one, "1": other}) == [2]


def test_plain_accuracy_has_no_lone_classes_and_strangers_no_share():
    plain = _run([0, 1, 2], ["a", "b", "c"], "acc_micro")
    assert lone_classes({"0": plain}) == []
    one = _run([0, 1], ["a", "b"])
    assert lone_share({"0": one}, {"1": one}) == 0.0
