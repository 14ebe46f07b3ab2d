"""Poly-1 loss: Z. Leng et al., PolyLoss (arXiv:2204.12511), eq. 4."""

import torch.nn.functional as F
from torch import Tensor


def poly_loss(logits: Tensor, targets: Tensor, *, epsilon: float) -> Tensor:
    """Cross-entropy plus epsilon times what the right class lacks to probability 1.

    Args:
        logits: (B, K).
        targets: (B,) int64 labels, or shares (B, K) as mixing makes them.
        epsilon: Weight of the added term.

    Returns:
        The mean over the batch.
    """
    shares = targets if targets.ndim == 2 else F.one_hot(targets, logits.shape[1])
    right = (logits.softmax(1) * shares).sum(1)
    return F.cross_entropy(logits, targets) + epsilon * (1 - right).mean()
