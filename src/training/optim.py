"""Optimisers over what trains, and learning rates as a pure function of the step."""

import math
from collections.abc import Callable, Iterable

import torch
from torch import nn

from src.config.schema import Adam, AdamW, ConstantLr, CosineLr, Sgd, StepLr


def build_optimizer(
    spec: AdamW | Adam | Sgd, parameters: Iterable[nn.Parameter], lr: float
) -> torch.optim.Optimizer:
    """An optimiser over the parameters that require gradients, and over no others.

    Weight decay is left off biases and normalisation (all one-dimensional parameters).

    Raises:
        ValueError: If nothing requires gradients.
    """
    trainable = [p for p in parameters if p.requires_grad]
    if not trainable:
        raise ValueError("no parameter requires gradients: there is nothing to train")
    groups = [
        {"params": [p for p in trainable if p.ndim > 1], "weight_decay": spec.weight_decay},
        {"params": [p for p in trainable if p.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    match spec:
        case AdamW():
            return torch.optim.AdamW(groups, lr=lr)
        case Adam():
            return torch.optim.Adam(groups, lr=lr)
        case Sgd():
            return torch.optim.SGD(groups, lr=lr, momentum=spec.momentum)


def lr_factor(
    spec: CosineLr | ConstantLr | StepLr, *, total_steps: int, steps_per_epoch: int
) -> Callable[[int], float]:
    """The factor on the learning rate as a function of the optimiser step, counted from 0.

    Args:
        spec: The schedule.
        total_steps: Optimiser steps of the whole run.
        steps_per_epoch: Optimiser steps of one epoch.
    """
    match spec:
        case CosineLr():
            warmup = round(spec.warmup_frac * total_steps)

            def cosine(step: int) -> float:
                if step < warmup:
                    return (step + 1) / (warmup + 1)
                done = (step - warmup) / max(1, total_steps - warmup)
                return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))

            return cosine
        case StepLr():
            return lambda step: float(spec.gamma ** (step // steps_per_epoch // spec.every_epochs))
        case ConstantLr():
            return lambda _step: 1.0
