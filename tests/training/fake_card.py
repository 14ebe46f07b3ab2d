"""A CUDA card without a card: PyTorch's fake tensors, with a device and a shape but no values.

An operation over two devices raises, as on a card, and so does asking for a value (`.item()`,
`.tolist()`), for which a card would have to finish all that is queued. Their backward pass needs a
driver, so it is faked as well: every leaf of the graph gets a gradient.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode


def leaves_of(loss: Tensor) -> list[Tensor]:
    """The leaves that a loss depends on."""
    seen, found, open_nodes = set(), [], [loss.grad_fn]
    while open_nodes:
        node: Any = open_nodes.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            found.append(node.variable)
        open_nodes += [following for following, _ in node.next_functions]
    return found


def fake_backward(loss: Tensor) -> None:
    for leaf in leaves_of(loss):
        leaf.grad = torch.empty_like(leaf)


@contextmanager
def fake_card() -> Iterator[None]:
    """A block in which `cuda` is a device."""
    with (
        FakeTensorMode(allow_non_fake_inputs=True),
        mock.patch.object(torch.autograd, "backward", fake_backward),
        mock.patch.object(torch.cuda, "_lazy_init"),
        mock.patch.object(torch.cuda, "get_rng_state", lambda *_: torch.zeros(16)),
        mock.patch.object(torch.cuda, "set_rng_state"),
        mock.patch.object(torch.cuda, "manual_seed"),
    ):
        yield
