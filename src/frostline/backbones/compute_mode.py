"""How a forward or training pass is computed: its precision, and the memory layout of its maps."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

Layout = Literal["channels_last", "contiguous"]
USUAL_LAYOUT: Layout = "channels_last"
_MEMORY_FORMATS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}
_MAP_NDIM = 4


@dataclass(frozen=True)
class ComputeMode:
    """A precision and a memory layout. Modes differ in rounding only.

    Attributes:
        precision: As Lightning names it: `32-true`, `bf16-mixed`.
        layout: Order of the axes of images and maps in memory.
    """

    precision: str
    layout: Layout = USUAL_LAYOUT

    def __str__(self) -> str:
        if self.layout == USUAL_LAYOUT:
            return self.precision
        return f"{self.precision} {self.layout}"


def parse_compute_mode(text: str) -> ComputeMode:
    """Read a mode from the text that `str(mode)` gives.

    Raises:
        ValueError: The text is not such a text.
    """
    match text.split():
        case [precision]:
            return ComputeMode(precision)
        case [precision, "contiguous"]:
            return ComputeMode(precision, "contiguous")
    raise ValueError(f"{text!r} is not a compute mode")


def in_layout(tensor: Tensor, layout: Layout) -> Tensor:
    """Return the same values; images and maps (N, C, H, W) are copied to the layout if needed."""
    if tensor.dim() != _MAP_NDIM:
        return tensor
    return tensor.contiguous(memory_format=_MEMORY_FORMATS[layout])


class InComputeMode(nn.Module):
    """Runs a frozen prefix in its own compute mode, which may differ from that of the training.

    Args:
        prefix: The frozen stages.
        accelerator: Where they are.
        forward: How they are computed.
        training: How the suffix is computed; it gets its input in float32 if it computes in
            that, and in its own layout.
    """

    def __init__(
        self, prefix: nn.Module, accelerator: str, forward: ComputeMode, training: ComputeMode
    ) -> None:
        super().__init__()
        self._prefix = (prefix,)  # not registered: the backbone owns it
        self._accelerator = accelerator
        self._forward, self._training = forward, training
        self._in_bfloat16 = forward.precision == "bf16-mixed"

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, 3, S, S) to the prefix's outputs."""
        with torch.autocast(self._accelerator, dtype=torch.bfloat16, enabled=self._in_bfloat16):
            outputs: Tensor = self._prefix[0](in_layout(images, self._forward.layout))
        return to_training_mode(outputs, self._forward, self._training)


def to_training_mode(outputs: Tensor, forward: ComputeMode, training: ComputeMode) -> Tensor:
    """Convert a prefix's outputs (N, ...) to the type and layout of the training."""
    if forward.precision == "bf16-mixed" and training.precision == "32-true":
        outputs = outputs.float()
    # Where both use one layout, the prefix's own stays: some models have their channels last.
    return outputs if forward.layout == training.layout else in_layout(outputs, training.layout)
