"""Reductions over the processes of one run, so that they give the metrics of one process."""

import torch
from torch import Tensor

from frostline.data.order import rank_and_world_size


def weighted(loss: Tensor, n: int) -> Tensor:
    """A part's mean loss, scaled so that the mean of all processes is the mean of the batch.

    The parts of a batch may differ by one image; gradients are averaged over processes, not images.

    Args:
        loss: () mean over this process's part.
        n: Images in that part.
    """
    _, processes = rank_and_world_size()
    if processes == 1:
        return loss
    total = torch.full((), float(n), device=loss.device)  # unlike `torch.tensor`, without a wait
    torch.distributed.all_reduce(total)
    return loss * (n * processes / total)


def summed(values: Tensor) -> Tensor:
    """The sum over all processes."""
    _, processes = rank_and_world_size()
    if processes > 1:
        torch.distributed.all_reduce(values)
    return values
