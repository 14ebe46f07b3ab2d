"""How one direction is computed: in which precision, and with which order of axes in memory."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

Layout = Literal["channels_last", "contiguous"]
USUAL_LAYOUT: Layout = "channels_last"
_FORMATS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}
_IMAGE_DIMS = 4


@dataclass(frozen=True)
class ComputeMode:
    """A way to compute; none changes more than rounding.

    Attributes:
        precision: Lightning's word for it.
        layout: Order of the axes of images and maps in memory.
    """

    precision: str
    layout: Layout = USUAL_LAYOUT

    def __str__(self) -> str:
        if self.layout == USUAL_LAYOUT:
            return self.precision
        return f"{self.precision} {self.layout}"


def parse_compute_mode(text: str) -> ComputeMode:
    """The reverse of `str(way)`.

    Raises:
        ValueError: If it is none.
    """
    match text.split():
        case [precision]:
            return ComputeMode(precision)
        case [precision, "contiguous"]:
            return ComputeMode(precision, "contiguous")
    raise ValueError(f"{text!r} is no way to compute")


def in_layout(tensor: Tensor, layout: Layout) -> Tensor:
    """The same values, those of images and maps (B, C, H, W) in another order in memory."""
    if tensor.dim() != _IMAGE_DIMS:
        return tensor
    return tensor.contiguous(memory_format=_FORMATS[layout])


class InComputeMode(nn.Module):
    """Runs a frozen prefix in a way of its own, whatever the training around it uses.

    Args:
        prefix: The frozen stages.
        accelerator: Where they are.
        forward: How they are computed.
        training: How what comes after them is; it gets what it needs: float32 if it computes in
            that, and its own layout.
    """

    def __init__(
        self, prefix: nn.Module, accelerator: str, forward: ComputeMode, training: ComputeMode
    ) -> None:
        super().__init__()
        self._prefix = (prefix,)  # not registered: the backbone owns it
        self._accelerator = accelerator
        self._forward, self._training = forward, training
        self._halves = forward.precision == "bf16-mixed"

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, S, S) to the prefix's outputs."""
        with torch.autocast(self._accelerator, dtype=torch.bfloat16, enabled=self._halves):
            outputs: Tensor = self._prefix[0](in_layout(images, self._forward.layout))
        return to_training_mode(outputs, self._forward, self._training)


def to_training_mode(outputs: Tensor, forward: ComputeMode, training: ComputeMode) -> Tensor:
    """A prefix's outputs (B, ...) as what trains on them wants them."""
    if forward.precision == "bf16-mixed" and training.precision == "32-true":
        outputs = outputs.float()
    # Where both use one layout, the prefix's own is left: some models have their channels last.
    return outputs if forward.layout == training.layout else in_layout(outputs, training.layout)
