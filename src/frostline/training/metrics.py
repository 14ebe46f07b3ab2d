"""Metrics of a split, each named with its average."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class ClassScores:
    """How well each class is recognised.

    Attributes:
        recall: (K,) float32; 0 for a class without items.
        f1: (K,) float32; 0 for a class that is never right.
        counts: (K,) bool: whether it occurs among the labels or the predictions. Macro averages
            leave out the others.
    """

    recall: Tensor
    f1: Tensor
    counts: Tensor


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
    scores = class_scores(logits, labels)
    right = (logits.argmax(dim=1) == labels).sum()
    return {
        "loss": F.cross_entropy(logits, labels).item(),
        "acc_micro": (right.float() / float(len(labels))).item(),
        "acc_macro": _mean(scores.recall, scores.counts),
        "f1_macro": _mean(scores.f1, scores.counts),
    }


def class_scores(logits: Tensor, labels: Tensor) -> ClassScores:
    """Recall and F1 of each class.

    Computed step by step as torchmetrics does, whose figures these are to the last digit; its
    import takes longer than most evaluations, and where results must repeat its table of counts
    needs memory for N x K x K integers.

    Args:
        logits: (N, K) float.
        labels: (N,) int64 in 0 .. K - 1.

    Source: torchmetrics 1.9, multiclass_accuracy and multiclass_f1_score with average="none".
    """
    n_classes = logits.shape[1]
    cells = labels * n_classes + logits.argmax(dim=1)
    table = torch.bincount(cells, minlength=n_classes**2).view(n_classes, n_classes)
    hits, actual, predicted_as = table.diagonal(), table.sum(dim=1), table.sum(dim=0)
    return ClassScores(
        recall=_share(hits.float(), actual.float()),
        f1=_share(2.0 * hits, (actual + predicted_as).float()),
        counts=actual + predicted_as > 0,
    )


def _share(part: Tensor, whole: Tensor) -> Tensor:
    """Part of a whole, 0 where there is none."""
    return torch.where(whole != 0, part / whole, torch.zeros_like(whole))


def _mean(values: Tensor, counts: Tensor) -> float:
    weights = counts.float()
    return (weights * values / weights.sum()).sum().item()


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


def probabilities(logits: Tensor) -> Tensor:
    """Softmax in float32: (N, K) to (N, K), rows sum to 1."""
    return torch.softmax(logits.float(), dim=1)
