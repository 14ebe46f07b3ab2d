"""What suspects do to a verdict: on features with a known truth, leaving them out mends it."""

import numpy as np
import pytest
import torch

from benchmarks import label_verdict
from frostline.advice.measures.table_features import TableFeatures
from frostline.data.sample_table import SampleTable

CLASSES, EACH = 3, 60


def clear_table():
    labels = np.repeat(np.arange(CLASSES), EACH)
    names = [f"{number:03d}" for number in range(len(labels))]
    return SampleTable(
        name="t",
        items=tuple(names),
        labels=labels.astype(np.int64),
        groups=np.array(names, dtype=np.str_),
        given_split=None,
        classes=("a", "b", "c"),
        fingerprint="",
        open_image=lambda _: None,
    )


def features_of(table, spread):
    """Each class around a corner of its own."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(len(table), 8, generator=generator)
    corners = torch.eye(8)[torch.from_numpy(table.labels)]
    return TableFeatures(4 * corners + spread * noise, "net", "", 64, 0)


def test_a_verdict_with_wrong_labels_is_too_low_and_without_suspects_nearly_right():
    table = clear_table()
    features = {name: features_of(table, 0.5) for name in label_verdict.BACKBONES}
    found = label_verdict.verdicts(table, features, 0.1, seed=0)
    named, right = found["suspects"]
    assert named == right > 9
    assert found["right"] == [100.0, 100.0]
    assert max(found["as given"]) + 3 < min(found["without"]) < 100
    assert min(*found["in truth, without"], *found["in truth, as given"]) > 95
    row = label_verdict.row_of("t", table, 0.1, [found])
    said = f"| t | 180 | 10% | {named} ({named} wrong) | "
    assert row.startswith(said) and row.count("|") == 10


def test_a_score_is_the_mean_over_classes():
    """All of one class right and none of the other: one half, whatever their sizes."""
    labels = np.array([0] * 20 + [1] * 20 + [0] * 8 + [1] * 2)
    values = torch.tensor([[-1.0]] * 20 + [[1.0]] * 20 + [[-1.0]] * 10)
    groups = np.array([str(k) for k in range(50)])
    train, test = np.arange(40), np.arange(40, 50)
    assert label_verdict.score(values, labels, train, test, groups) == pytest.approx(50.0)
