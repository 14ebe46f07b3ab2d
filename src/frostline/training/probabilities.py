"""From logits to probabilities."""

import torch
from torch import Tensor


def probabilities(logits: Tensor) -> Tensor:
    """Softmax in float32: (N, K) to (N, K), rows sum to 1."""
    return torch.softmax(logits.float(), dim=1)
