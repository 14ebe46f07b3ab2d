"""Optimisers over what trains in any epoch, with learning rates by stage."""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import nn

from frostline.backbones.spec import Stage
from frostline.config.recipe import Adam, AdamW, OptimizerChoice, Sgd
from frostline.training.learning_rates import lr_factor

__all__ = ["build_optimizer", "lr_factor", "lr_scales", "optimizer_over"]


def lr_scales(stages: Sequence[Stage], layer_decay: float) -> dict[str, float]:
    """The factor on the learning rate of each of a backbone's tensors.

    The head has 1, the last stage `layer_decay`, the one before it that squared, and so on.

    Args:
        stages: The backbone's stages 1..S.
        layer_decay: 1.0 gives all of them the same rate.

    Returns:
        Name of the tensor in the model to its factor.

    Source: discriminative fine-tuning: J. Howard and S. Ruder (arXiv:1801.06146), 3.1; counted
    from the head as in H. Bao et al., BEiT (arXiv:2106.08254), appendix H.
    """
    return {
        tensor: layer_decay ** (len(stages) + 1 - stage.number)
        for stage in stages
        for tensor in stage.tensors
    }


def build_optimizer(
    spec: OptimizerChoice, parameters: Iterable[nn.Parameter], lr: float
) -> torch.optim.Optimizer:
    """An optimiser over the parameters that require gradients, and over no others.

    Raises:
        ValueError: If nothing requires gradients.
    """
    return optimizer_over(spec, {p: 1.0 for p in parameters if p.requires_grad}, lr)


def optimizer_over(
    spec: OptimizerChoice, scales: Mapping[nn.Parameter, float], lr: float
) -> torch.optim.Optimizer:
    """An optimiser over the given parameters, each with its own factor on the learning rate.

    Those that have no gradient at a step, since they are frozen then, are left as they are: no
    weight decay, no state. Weight decay is left off biases and normalisation (all one-dimensional
    parameters). The groups are in one order whatever is frozen at the moment, so that a state
    saved in one phase of a run can be loaded in another; those of the highest rate come first.

    Args:
        spec: Which optimiser.
        scales: Parameter to the factor on its learning rate.
        lr: The rate where that factor is 1.

    Raises:
        ValueError: If there are no parameters.
    """
    if not scales:
        raise ValueError("no parameter requires gradients: there is nothing to train")
    groups = [
        {"params": members, "weight_decay": decay, "lr": lr * scale}
        for scale in sorted(set(scales.values()), reverse=True)
        for matrices, decay in ((True, spec.weight_decay), (False, 0.0))
        if (members := [p for p, s in scales.items() if s == scale and (p.ndim > 1) == matrices])
    ]
    match spec:
        case AdamW():
            return torch.optim.AdamW(groups, lr=lr)
        case Adam():
            return torch.optim.Adam(groups, lr=lr)
        case Sgd():
            return torch.optim.SGD(groups, lr=lr, momentum=spec.momentum)
