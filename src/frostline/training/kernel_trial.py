"""Whether a network can be trained with kernels alone that repeat their numbers: one step is tried.

PyTorch has two ways to ask for them. With `warn_only` what has no such kernel still runs, but
attention then keeps its faster backward pass, whose sums differ from run to run. Without, attention
repeats its numbers, and what has no such kernel (the backward pass of some poolings on CUDA) is an
error. So the strict way is tried first, and the other one is the recorded fallback.

Source: "Memory Efficient attention defaults to a non-deterministic algorithm. To explicitly enable
determinism call torch.use_deterministic_algorithms(True, warn_only=False)", a warning of PyTorch's.
"""

import logging

import torch
from torch import nn

from frostline.features.compute import precision_context

_log = logging.getLogger(__name__)
_BATCH = 2  # BatchNorm needs more than one
_SIGN = "deterministic"  # in each of PyTorch's errors about it


def trains_strictly(
    prefix: nn.Module,
    trained: nn.Module,
    *,
    shape: tuple[int, int, int],
    accelerator: str,
    precision: str,
    about: str,
) -> bool:
    """Try one step with strict kernels; weights, statistics and random numbers stay as they are.

    Args:
        prefix: The frozen stages, on the accelerator.
        trained: Suffix and head, there as well, with gradients where it trains.
        shape: Channels, height and width of the images.
        accelerator: `cpu`, `cuda` or `mps`.
        precision: As Lightning names it.
        about: Backbone and depth, for the log.
    """
    state = {name: value.clone() for name, value in trained.state_dict().items()}
    warned = torch.is_deterministic_algorithms_warn_only_enabled()
    enabled = torch.are_deterministic_algorithms_enabled()
    modes = {module: module.training for module in trained.modules()}
    cards = [torch.cuda.current_device()] if accelerator == "cuda" else []
    torch.use_deterministic_algorithms(True)
    try:
        with torch.random.fork_rng(devices=cards), precision_context(accelerator, precision):
            images = torch.zeros(_BATCH, *shape, device=accelerator)
            images = images.contiguous(memory_format=torch.channels_last)
            with torch.no_grad():
                handed = prefix(images)
            torch.autograd.backward(trained.train()(handed).float().square().mean())
    except RuntimeError as error:
        if _SIGN not in str(error):
            raise
        reason = str(error).strip().split(",")[0]
        _log.warning("%s: not every number will repeat to the last bit: %s", about, reason)
        return False
    finally:
        torch.use_deterministic_algorithms(enabled, warn_only=warned)
        for module, training in modes.items():
            module.training = training
        trained.load_state_dict(state)
        trained.zero_grad(set_to_none=True)
    return True
