"""Metrics of a split, each named with its average."""

import math

import torch
import torch.nn.functional as F
from scipy.optimize import minimize_scalar
from torch import Tensor
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_f1_score

# Between which `scaled_loss` looks: losses of diverging candidates reach several hundred.
MIN_TEMPERATURE, MAX_TEMPERATURE = 1e-2, 1e4


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


def probabilities(logits: Tensor) -> Tensor:
    """Softmax in float32: (N, K) to (N, K), rows sum to 1."""
    return torch.softmax(logits.float(), dim=1)


def best_temperature(
    logits: Tensor, labels: Tensor, *, lowest: float, highest: float
) -> tuple[float, float]:
    """The temperature within two limits that suits logits best, and the loss at it.

    Args:
        logits: (N, K) float, finite; logarithms of probabilities will do.
        labels: (N,) int64 in 0 .. K - 1, at least one.
        lowest: Of the temperature, above 0.
        highest: Of the temperature.

    Returns:
        The temperature, and the mean cross-entropy of the logits divided by it, in nats.

    Source: C. Guo et al., On calibration of modern neural networks (arXiv:1706.04599), 4.2.
    """
    logits = logits.double()

    def loss(log_temperature: float) -> float:
        return float(F.cross_entropy(logits * math.exp(-log_temperature), labels))

    # It has one minimum: the loss is convex in the inverse of the temperature.
    limits = (math.log(lowest), math.log(highest))
    found = minimize_scalar(loss, bounds=limits, method="bounded", options={"xatol": 1e-6})
    return math.exp(float(found.x)), float(found.fun)


def scaled_loss(logits: Tensor, labels: Tensor) -> float:
    """The mean cross-entropy of logits at the temperature that suits them best.

    Early in a schedule a high learning rate gives logits that are far too sure: their loss is large
    although they separate the classes well. Divided by a temperature they show how well.

    Args:
        logits: (N, K) float, finite.
        labels: (N,) int64 in 0 .. K - 1, at least one.

    Returns:
        At most ln K, the loss of guessing.
    """
    return best_temperature(logits, labels, lowest=MIN_TEMPERATURE, highest=MAX_TEMPERATURE)[1]
