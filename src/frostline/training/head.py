"""The new classifier on top of a backbone's features."""

import torch
from torch import Tensor, nn

from frostline.config.own_part import OwnHead
from frostline.data.seeds import derive_seed, own_draws
from frostline.plugins.part import PluginError, build_part, failed


def build_head(
    num_features: int,
    num_classes: int,
    *,
    hidden: int | None,
    dropout: float,
    batch_norm: bool,
    seed: int,
) -> nn.Sequential:
    """A linear classifier, or one with a hidden layer.

    Args:
        num_features: Width of the features (N, num_features).
        num_classes: Width of the logits (N, num_classes).
        hidden: Units of the hidden layer; None for a linear classifier.
        dropout: Share of units dropped before the last layer, 0 to 1.
        batch_norm: Whether the hidden layer is followed by BatchNorm.
        seed: The run's seed: the head depends on it alone, not on what the backbone has drawn.
    """
    layers: list[nn.Module] = []
    width = num_features
    if hidden is not None:
        layers += [nn.Linear(num_features, hidden)]
        layers += [nn.BatchNorm1d(hidden)] if batch_norm else []
        layers += [nn.ReLU()]
        width = hidden
    if dropout > 0:
        layers += [nn.Dropout(dropout)]
    layers += [nn.Linear(width, num_classes)]
    head = nn.Sequential(*layers)
    generator = torch.Generator().manual_seed(derive_seed(seed, "head"))
    for layer in head:
        if isinstance(layer, nn.Linear):
            _initialise(layer, generator)
    return head


def build_own_head(
    head: OwnHead, num_features: int, num_classes: int, *, seed: int
) -> nn.Sequential:
    """A user's own head; what it draws depends on the run's seed alone.

    Args:
        head: Which.
        num_features: Width of the features (N, num_features).
        num_classes: Width of the logits (N, num_classes).
        seed: The run's.

    Raises:
        PluginError: If it cannot be built, or gives no logits.
    """
    with own_draws(derive_seed(seed, "head")):
        module = build_part(head, num_features=num_features, num_classes=num_classes)
        if not isinstance(module, nn.Module):
            raise PluginError(f"head={head.name}: {head.target} made no torch.nn.Module")
        _check_logits(head, module, num_features, num_classes)
    return nn.Sequential(module)


def _check_logits(head: OwnHead, module: nn.Module, num_features: int, num_classes: int) -> None:
    training = module.training
    try:
        with torch.no_grad():
            logits = module.eval()(torch.zeros(2, num_features))
    except Exception as error:
        raise failed(head.target, f"fails on features (2, {num_features})", error) from error
    finally:
        module.train(training)
    shape = tuple(getattr(logits, "shape", ()))
    if shape != (2, num_classes):
        raise PluginError(
            f"head={head.name}: {head.target} made {shape} of features (2, {num_features})",
            f"logits (2, {num_classes}): one row an image, one column a class",
        )


def _initialise(layer: nn.Linear, generator: torch.Generator) -> None:
    """PyTorch's own bounds for a linear layer, drawn from the given generator."""
    bound = layer.in_features**-0.5
    for parameter in (layer.weight, layer.bias):
        drawn: Tensor = torch.rand(parameter.shape, generator=generator) * 2 * bound - bound
        with torch.no_grad():
            parameter.copy_(drawn)
