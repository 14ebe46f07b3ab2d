"""Reductions over the processes of one run, so that they give the metrics of one process."""

from collections.abc import Callable

import torch
from torch import Tensor

from frostline.data.order import rank_and_world_size


def weighted(
    loss: Tensor, n: int, divisor: Callable[[], Tensor] | None = None
) -> tuple[Tensor, Tensor]:
    """A part's mean loss as part of the mean over the whole batch.

    The parts of a batch may differ by one image, and in the weights of their classes; gradients are
    averaged over processes, not images.

    Args:
        loss: () mean over this process's part.
        n: Images in that part.
        divisor: Gives () by what that mean divides; None for the images.

    Returns:
        The loss scaled so that the mean of all processes is the mean of the batch, and what the
        part adds to the sum over all images of the batch, without gradient.
    """
    _, processes = rank_and_world_size()
    if processes == 1:
        return loss, loss.detach() * n
    if divisor is None:
        total = torch.full((), float(n), device=loss.device)  # unlike `torch.tensor`, does not wait
        torch.distributed.all_reduce(total)
        return loss * (n * processes / total), loss.detach() * n
    own = divisor()
    totals = torch.stack([own, torch.full_like(own, float(n))])
    torch.distributed.all_reduce(totals)
    share = own / totals[0]
    return loss * (share * processes), loss.detach() * share * totals[1]


def summed(values: Tensor) -> Tensor:
    """The sum over all processes."""
    _, processes = rank_and_world_size()
    if processes > 1:
        torch.distributed.all_reduce(values)
    return values
