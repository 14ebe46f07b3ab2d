"""Optimiser steps for stacked heads: the formulas of torch.optim, with a learning rate for each."""

from collections.abc import Sequence

import torch
from torch import Tensor

from frostline.config.recipe import Adam, AdamW, Sgd
from frostline.training.stacked_heads import StackedHeads

# The defaults of torch.optim.Adam and AdamW, which `build_optimizer` keeps.
_BETAS = (0.9, 0.999)
_EPS = 1e-8


class StackedOptimizer:
    """One optimiser a head, in one set of tensors.

    Args:
        heads: What trains.
        specs: One a head, all of one kind.

    Raises:
        ValueError: If the kinds differ.
    """

    def __init__(self, heads: StackedHeads, specs: Sequence[AdamW | Adam | Sgd]) -> None:
        if len({type(spec) for spec in specs}) != 1:
            raise ValueError("optimisers of different kinds cannot be stacked")
        self._heads = heads
        self._kind = type(specs[0])
        self._decay = torch.tensor([spec.weight_decay for spec in specs])
        self._momentum = torch.tensor(
            [spec.momentum if isinstance(spec, Sgd) else 0.0 for spec in specs]
        )
        zeros = {name: torch.zeros_like(value) for name, value in heads.parameters.items()}
        self._first = {name: value.detach() for name, value in zeros.items()}
        self._second = {name: value.clone() for name, value in self._first.items()}
        self._steps = 0

    @torch.no_grad()
    def step(self, lr: Tensor) -> None:
        """One step from the gradients of all heads, which are forgotten afterwards.

        Args:
            lr: (J) learning rates of this step.
        """
        self._steps += 1
        for name, parameter in self._heads.parameters.items():
            grad = parameter.grad
            assert grad is not None
            shape = [1] * parameter.dim()
            shape[self._heads.job_axis(name)] = -1
            rate = lr.view(shape)
            decay = self._decay.view(shape) if self._heads.decays(name) else None
            if self._kind is Sgd:
                self._sgd(name, parameter, grad, rate, decay, self._momentum.view(shape))
            else:
                self._adam(name, parameter, grad, rate, decay)
            parameter.grad = None

    def _sgd(
        self,
        name: str,
        parameter: Tensor,
        grad: Tensor,
        rate: Tensor,
        decay: Tensor | None,
        momentum: Tensor,
    ) -> None:
        if decay is not None:
            grad = grad + decay * parameter
        moving = self._first[name]
        moving.mul_(momentum).add_(grad)
        parameter.sub_(rate * moving)

    def _adam(
        self, name: str, parameter: Tensor, grad: Tensor, rate: Tensor, decay: Tensor | None
    ) -> None:
        if decay is not None:
            if self._kind is AdamW:
                parameter.mul_(1 - rate * decay)
            else:
                grad = grad + decay * parameter
        first, second = self._first[name], self._second[name]
        first.lerp_(grad, 1 - _BETAS[0])
        second.mul_(_BETAS[1]).addcmul_(grad, grad, value=1 - _BETAS[1])
        correction = 1 - _BETAS[0] ** self._steps
        root = (1 - _BETAS[1] ** self._steps) ** 0.5
        denominator = (second.sqrt() / root).add_(_EPS)
        parameter.sub_(rate / correction * (first / denominator))
