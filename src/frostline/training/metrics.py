"""Figures of a split, each with its average spelled out."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_f1_score


def classification_metrics(logits: Tensor, labels: Tensor) -> dict[str, float]:
    """Loss and scores of one whole split.

    Args:
        logits: (N, K) float, K classes.
        labels: (N,) int64 in 0 .. K - 1.

    Returns:
        `loss` (mean cross-entropy in nats), `acc_micro` (share of right items), `acc_macro` (mean
        of the classes' recalls) and `f1_macro` (mean of the classes' F1 scores), each 0 to 1.

    Raises:
        ValueError: If there is no item, or a label is outside 0 .. K - 1.
    """
    num_classes = logits.shape[1]
    if len(labels) == 0:
        raise ValueError("no items to score")
    if int(labels.min()) < 0 or int(labels.max()) >= num_classes:
        raise ValueError(f"labels must lie in 0..{num_classes - 1}")
    logits = logits.float()
    return {
        "loss": F.cross_entropy(logits, labels).item(),
        "acc_micro": multiclass_accuracy(logits, labels, num_classes, average="micro").item(),
        "acc_macro": multiclass_accuracy(logits, labels, num_classes, average="macro").item(),
        "f1_macro": multiclass_f1_score(logits, labels, num_classes, average="macro").item(),
    }


def probabilities(logits: Tensor) -> Tensor:
    """Softmax in float32: (N, K) to (N, K), rows sum to 1."""
    return torch.softmax(logits.float(), dim=1)
