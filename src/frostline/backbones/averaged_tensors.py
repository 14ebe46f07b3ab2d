"""An exponential moving average of named tensors, as timm keeps it."""

from collections.abc import Mapping

import torch
from timm.utils.model_ema import ModelEmaV3
from torch import Tensor, nn


class _Holder(nn.Module):
    """Tensors of a network as the state of a module; they are shared, not copied."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        for number, tensor in enumerate(tensors.values()):
            shared = tensor.detach()
            if tensor.is_floating_point():
                self.register_parameter(str(number), nn.Parameter(shared, requires_grad=False))
            else:
                self.register_buffer(str(number), shared)


class AveragedTensors:
    """The average of tensors over the steps of a training, in the type that they have.

    After step t it is `decay_t * average + (1 - decay_t) * tensor`, and numbers that are no
    fractions, such as the batches that a BatchNorm has seen, are copied. `decay_t` rises with the
    steps as 1 - t^(-2/3), until it is `decay`: it is 0 at the first step, so that the start is
    forgotten, and a training that is short against 1 / (1 - decay) is averaged all the same.

    Args:
        tensors: Name to tensor, on the device where they stay; the average begins as they are.
        decay: In (0, 1).

    Source: `timm.utils.ModelEmaV3`, with `use_warmup`.
    """

    def __init__(self, tensors: Mapping[str, Tensor], decay: float) -> None:
        self._live = _Holder(tensors)
        self._kept = ModelEmaV3(self._live, decay=decay, use_warmup=True)
        kept = self._kept.module.state_dict()
        self.tensors: dict[str, Tensor] = {
            name: kept[str(number)] for number, name in enumerate(tensors)
        }

    def update(self, step: int) -> None:
        """Take the tensors' present values in.

        Args:
            step: How many steps of the optimiser there have been, this one included.
        """
        self._kept.update(self._live, step=step)

    @torch.no_grad()
    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from the average of an earlier part of the training."""
        for name, tensor in self.tensors.items():
            tensor.copy_(tensors[name])
