"""A classifier by angles: the logit of a class is the cosine to its prototype, times a scale.

Source: S. Gidaris and N. Komodakis, Dynamic few-shot visual learning (arXiv:1804.09458), 3.2.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class CosineHead(nn.Module):
    """One prototype a class.

    Args:
        num_features: Width of the features, given by Frostline.
        num_classes: Number of classes, given by Frostline.
        scale: Factor on the cosines.
    """

    def __init__(self, num_features: int, num_classes: int, scale: float) -> None:
        super().__init__()
        self.prototypes = nn.Parameter(torch.randn(num_classes, num_features))
        self.scale = scale

    def forward(self, features: Tensor) -> Tensor:
        """Features (N, F) to logits (N, K)."""
        return self.scale * F.linear(F.normalize(features, dim=1), F.normalize(self.prototypes))
