"""Metrics of a split, each named with its average."""

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


def stacked_metrics(logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Loss and scores of J heads.

    Args:
        logits: (J, N, K) float.
        labels: (N,) int64 in 0 .. K - 1, at least one.

    Returns:
        `loss`, `acc_micro`, `acc_macro`, `f1_macro`, each (J,) float32. Classes that occur neither
        in the labels nor in the predictions do not count in the macro averages.

    Source: the definitions of torchmetrics' multiclass_accuracy and multiclass_f1_score.
    """
    n_heads, n_items, n_classes = logits.shape
    logits = logits.float()
    repeated = labels.expand(n_heads, n_items).reshape(-1)
    loss = F.cross_entropy(logits.reshape(-1, n_classes), repeated, reduction="none")
    predicted = logits.argmax(dim=2)
    head = torch.arange(n_heads).unsqueeze(1)
    cells = (head * n_classes + labels) * n_classes + predicted
    table = torch.bincount(cells.flatten(), minlength=n_heads * n_classes**2)
    confusion = table.view(n_heads, n_classes, n_classes).float()
    hits = confusion.diagonal(dim1=1, dim2=2)
    actual, predicted_as = confusion.sum(dim=2), confusion.sum(dim=1)
    counted = (actual + predicted_as > 0).float()
    recall = hits / actual.clamp_min(1)
    f1 = 2 * hits / (actual + predicted_as).clamp_min(1)
    share = counted / counted.sum(dim=1, keepdim=True)
    return {
        "loss": loss.view(n_heads, n_items).mean(dim=1),
        "acc_micro": hits.sum(dim=1) / n_items,
        "acc_macro": (recall * share).sum(dim=1),
        "f1_macro": (f1 * share).sum(dim=1),
    }
