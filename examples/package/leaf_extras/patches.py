"""An augmentation that comes with an installed package."""

import torch
from torch import Tensor


class GreyPatch:
    """Covers a square somewhere in each training image with grey.

    Args:
        side_frac: Side of the square, as a share of the image's.
    """

    def __init__(self, side_frac: float) -> None:
        self.side_frac = side_frac

    def __call__(self, image: Tensor) -> Tensor:
        """From an image (3, S, S) uint8 to one of the same form."""
        size = image.shape[-1]
        side = max(1, round(size * self.side_frac))
        top, left = (int(torch.randint(size - side + 1, ())) for _ in range(2))
        covered = image.clone()
        covered[:, top : top + side, left : left + side] = 128
        return covered
