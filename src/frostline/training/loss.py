"""What training minimises: cross-entropy, with what helps against imbalance."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from frostline.config.own_part import OwnLoss
from frostline.config.recipe import CrossEntropy, FocalLoss
from frostline.plugins.part import PluginError, build_part, failed

Loss = Callable[[Tensor, Tensor], Tensor]
Divisor = Callable[[Tensor], Tensor]


def build_loss(spec: CrossEntropy | FocalLoss | OwnLoss, class_weights: Tensor | None) -> Loss:
    """A function of logits (B, K) and targets to the mean loss of the batch.

    Targets are labels (B,) int64, or shares (B, K) float that sum to 1, as mixing makes them.

    Args:
        spec: Which loss.
        class_weights: (K) float weights of the classes; None for equal ones.
    """
    if isinstance(spec, OwnLoss):
        return build_own_loss(spec, class_weights)
    gamma = spec.gamma if isinstance(spec, FocalLoss) else 0.0
    # A copy in each step would wait for the card.
    held: dict[torch.device, Tensor | None] = {}

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        if logits.device not in held:
            held[logits.device] = None if class_weights is None else class_weights.to(logits.device)
        weights = held[logits.device]
        if gamma == 0.0:
            return F.cross_entropy(
                logits, targets, weight=weights, label_smoothing=spec.label_smoothing
            )
        each = F.cross_entropy(
            logits, targets, weight=weights, label_smoothing=spec.label_smoothing, reduction="none"
        )
        return (focal_factor(logits, targets, gamma) * each).mean()

    return loss


def divisor_of(
    spec: CrossEntropy | FocalLoss | OwnLoss, class_weights: Tensor | None
) -> Divisor | None:
    """By what the mean over a batch divides, where that is not the number of its images.

    Args:
        spec: Which loss.
        class_weights: (K) float weights of the classes; None for equal ones.

    Returns:
        A function of labels (B,) to the sum of their weights (), or of shares (B, K) to B; None
        for a plain mean, which an own loss is taken to be.
    """
    if class_weights is None or isinstance(spec, OwnLoss):
        return None
    if isinstance(spec, FocalLoss) and spec.gamma > 0:
        return None
    held = {class_weights.device: class_weights}

    def divisor(targets: Tensor) -> Tensor:
        if targets.ndim == 2:
            return torch.full((), float(len(targets)), device=targets.device)
        if targets.device not in held:
            held[targets.device] = class_weights.to(targets.device)
        return held[targets.device][targets].sum()

    return divisor


def build_own_loss(spec: OwnLoss, class_weights: Tensor | None) -> Loss:
    """A user's own loss, tried once.

    Args:
        spec: Which; called with `class_weights` if its `class_weights` is above 0.
        class_weights: (K) float weights of the classes; None for equal ones.

    Raises:
        PluginError: If it cannot be built, or makes no mean of a batch.
    """
    given = {} if class_weights is None else {"class_weights": class_weights}
    loss: Loss = build_part(spec, **given)
    count = 3 if class_weights is None else len(class_weights)
    logits = torch.linspace(-1, 1, 4 * count).view(4, count).requires_grad_()
    try:
        value = loss(logits, torch.arange(4) % count)
    except Exception as error:
        raise failed(spec.target, f"fails on logits (4, {count}) and labels (4)", error) from error
    if not isinstance(value, Tensor) or value.ndim != 0 or not value.requires_grad:
        raise PluginError(
            f"loss={spec.name}: {spec.target} made {tuple(getattr(value, 'shape', ()))} of logits "
            f"(4, {count})",
            "one number that depends on the logits: the mean loss of the batch",
        )
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
