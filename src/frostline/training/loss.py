"""What training minimises: cross-entropy, with what helps against imbalance."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from frostline.config.recipe import CrossEntropy, FocalLoss

Loss = Callable[[Tensor, Tensor], Tensor]


def build_loss(spec: CrossEntropy | FocalLoss, class_weights: Tensor | None) -> Loss:
    """A function of logits (B, K) and targets to the mean loss of the batch.

    Targets are labels (B,) int64, or shares (B, K) float that sum to 1, as mixing makes them.

    Args:
        spec: Which loss.
        class_weights: (K) float weights of the classes; None for equal ones.
    """
    gamma = spec.gamma if isinstance(spec, FocalLoss) else 0.0

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        weights = None if class_weights is None else class_weights.to(logits.device)
        if gamma == 0.0:
            return F.cross_entropy(
                logits, targets, weight=weights, label_smoothing=spec.label_smoothing
            )
        each = F.cross_entropy(
            logits, targets, weight=weights, label_smoothing=spec.label_smoothing, reduction="none"
        )
        return (focal_factor(logits, targets, gamma) * each).mean()

    return loss


def focal_factor(logits: Tensor, targets: Tensor, gamma: float) -> Tensor:
    """How much each item still counts: (1 - p)^gamma, p the probability of its class.

    Args:
        logits: (B, K).
        targets: (B,) int64 or (B, K) shares.
        gamma: 0 for plain cross-entropy.

    Returns:
        (B,), 0 to 1.

    Source: Lin 2017, Focal loss for dense object detection (arXiv:1708.02002), eq. 4.
    """
    shares = targets if targets.ndim == 2 else F.one_hot(targets, logits.shape[1])
    sure = (torch.softmax(logits, dim=1) * shares).sum(dim=1)
    return (1 - sure) ** gamma
