"""Optimisers over the parameters trained in any epoch, with learning rates by stage."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from frostline.backbones.spec import Stage
from frostline.config.freeze_value import LORA
from frostline.config.own_part import OwnOptimizer
from frostline.config.recipe import Adam, AdamW, OptimizerChoice, Sgd
from frostline.errors import ConfigError
from frostline.plugins.part import PluginError, build_part


def lr_scales(stages: Sequence[Stage], layer_decay: float) -> dict[str, float]:
    """The factor on the learning rate of each of a backbone's tensors.

    The last stage has `layer_decay`, the one before it that squared, and so on; the
    factor of the head is `head_lr_factor`.

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


def check_adapter_rates(freeze: int | str, layer_decay: float) -> None:
    """Refuse rates by stage for adapters, which belong to none.

    Raises:
        ConfigError: If both are asked for.
    """
    if freeze == LORA and layer_decay != 1.0:
        raise ConfigError(
            f"freeze={LORA} optimizer.layer_decay={layer_decay:g}: adapters have one rate",
            "optimizer.layer_decay=1, which is the default",
        )


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

    Parameters without a gradient at a step, because they are frozen then, are left unchanged: no
    weight decay, no state.

    Args:
        spec: Which optimiser.
        scales: Parameter to the factor on its learning rate.
        lr: The rate where that factor is 1.

    Raises:
        ValueError: If there are no parameters.
    """
    if not scales:
        raise ValueError("no parameter requires gradients: there is nothing to train")
    return optimizer_of_groups(spec, parameter_groups(spec, scales, lr), lr)


def parameter_groups(
    spec: OptimizerChoice, scales: Mapping[nn.Parameter, float], lr: float
) -> list[dict[str, Any]]:
    """Groups by learning rate and weight decay, those of the highest rate first.

    Biases and normalisation (all one-dimensional parameters) have no weight decay. The order does
    not depend on what is frozen at the moment, so that a state saved in one phase of a run can be
    loaded in another.

    Args:
        spec: Which optimiser.
        scales: Parameter to the factor on its learning rate.
        lr: The rate where that factor is 1.
    """
    momentum = {"momentum": spec.momentum} if isinstance(spec, Sgd) else {}
    return [
        {"params": members, "weight_decay": decay, "lr": lr * scale, **momentum}
        for scale in sorted(set(scales.values()), reverse=True)
        for matrices, decay in ((True, spec.weight_decay), (False, 0.0))
        if (members := [p for p, s in scales.items() if s == scale and (p.ndim > 1) == matrices])
    ]


def optimizer_of_groups(
    spec: OptimizerChoice, groups: list[dict[str, Any]], lr: float, *, fused: bool | None = None
) -> torch.optim.Optimizer:
    """The optimiser of torch.optim that a config names.

    Args:
        spec: Which optimiser.
        groups: What `parameter_groups` returns.
        lr: The peak learning rate.
        fused: Whether each group is updated by one kernel; None: on CUDA, and elsewhere as PyTorch
            chooses.
    """
    if fused is None and {p.device.type for group in groups for p in group["params"]} == {"cuda"}:
        fused = True
    match spec:
        case AdamW():
            return torch.optim.AdamW(groups, lr=lr, fused=fused)
        case Adam():
            return torch.optim.Adam(groups, lr=lr, fused=fused)
        case Sgd():
            return torch.optim.SGD(groups, lr=lr, momentum=spec.momentum, fused=fused)
        case OwnOptimizer():
            return build_own_optimizer(spec, groups, lr)


def build_own_optimizer(
    spec: OwnOptimizer, groups: list[dict[str, Any]], lr: float
) -> torch.optim.Optimizer:
    """A user's own optimiser: called with the groups as `params`, and `lr`.

    Raises:
        PluginError: If it cannot be built, or is no optimiser.
    """
    optimizer = build_part(spec, params=groups, lr=lr)
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise PluginError(f"optimizer={spec.name}: {spec.target} made no torch.optim.Optimizer")
    return optimizer
