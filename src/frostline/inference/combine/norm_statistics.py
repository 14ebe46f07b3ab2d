"""Running statistics of BatchNorm, which belong to the weights that made the activations.

A mean of weights makes others, so that where they adapted in training they are measured anew.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

_STATISTICS = ("running_mean", "running_var")


def adapted_layers(
    states: Sequence[Mapping[str, Tensor]], roots: Mapping[str, nn.Module]
) -> list[_BatchNorm]:
    """Find the layers whose statistics are not the same in all states.

    Args:
        states: All tensors of each run.
        roots: Beginning of the states' names to the module that has them.
    """
    first = states[0]
    moved = {
        name.rpartition(".")[0]
        for name, tensor in first.items()
        if name.endswith(_STATISTICS)
        and any(not torch.equal(tensor, state[name]) for state in states[1:])
    }
    return [
        module
        for prefix, root in roots.items()
        for path, module in root.named_modules()
        if isinstance(module, _BatchNorm) and f"{prefix}{path}" in moved
    ]


def measure_anew(layers: Sequence[_BatchNorm], look: Callable[[], object]) -> None:
    """Replace the statistics of some layers by the means over what the network looks at.

    Args:
        layers: In eval mode, as they are left.
        look: Runs the network over images, in batches that are mixed.
    """
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the mean over all batches
        layer.train()
    try:
        look()
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.eval()
            layer.momentum = momentum
