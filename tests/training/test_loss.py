"""Losses against PyTorch's own, by value."""

import pytest
import torch
import torch.nn.functional as F

from frostline.config.recipe import CrossEntropy, FocalLoss
from frostline.training.loss import build_loss, focal_factor

LOGITS = torch.tensor([[2.0, 0.0, -1.0], [0.0, 1.0, 0.5], [0.3, 0.2, 0.1]])
LABELS = torch.tensor([0, 2, 1])
SHARES = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
WEIGHTS = torch.tensor([0.5, 1.0, 2.0])


def cross_entropy(smoothing: float = 0.0) -> CrossEntropy:
    return CrossEntropy(name="cross_entropy", label_smoothing=smoothing, class_weights=0.0)


def focal(gamma: float) -> FocalLoss:
    return FocalLoss(name="focal", gamma=gamma, label_smoothing=0.0, class_weights=0.0)


def test_cross_entropy_with_weights_and_smoothing_is_pytorchs() -> None:
    ours = build_loss(cross_entropy(0.1), WEIGHTS)(LOGITS, LABELS)
    theirs = F.cross_entropy(LOGITS, LABELS, weight=WEIGHTS, label_smoothing=0.1)
    assert ours.item() == pytest.approx(theirs.item())


def test_shares_of_one_class_are_labels() -> None:
    for spec in (cross_entropy(), focal(2.0)):
        by_label = build_loss(spec, None)(LOGITS, LABELS)
        assert build_loss(spec, None)(LOGITS, SHARES).item() == pytest.approx(by_label.item())


def test_focal_loss_turns_away_from_what_is_learnt() -> None:
    p = torch.softmax(LOGITS, dim=1)[torch.arange(3), LABELS]
    expected = ((1 - p) ** 2 * -p.log()).mean()
    assert build_loss(focal(2.0), None)(LOGITS, LABELS).item() == pytest.approx(expected.item())
    factor = focal_factor(LOGITS, LABELS, 2.0)
    assert factor[0] < factor[1]
    plain = build_loss(cross_entropy(), None)(LOGITS, LABELS)
    assert build_loss(focal(0.0), None)(LOGITS, LABELS).item() == pytest.approx(plain.item())
