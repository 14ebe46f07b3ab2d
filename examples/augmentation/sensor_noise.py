"""The noise of a small camera: each training image gets its own, and may be mirrored."""

import torch
from torch import Tensor


class SensorNoise:
    """Adds normal noise to an image.

    Args:
        strength: Standard deviation, in steps of 0 .. 255.
        mirror: Share of the images that are mirrored left to right.
    """

    def __init__(self, strength: float, mirror: float) -> None:
        self.strength = strength
        self.mirror = mirror

    def __call__(self, image: Tensor) -> Tensor:
        """From an image (3, S, S) uint8 to one of the same form."""
        if torch.rand(()) < self.mirror:
            image = image.flip(-1)
        noisy = image.float() + self.strength * torch.randn(image.shape)
        return noisy.round().clamp(0, 255).to(torch.uint8)
