"""Low-rank adapters (LoRA): beside a frozen transformer's attention layers train small matrices.

A linear layer `W x` becomes `W x + B A x` with a `B A` of low rank that begins as zero. All weights
of the backbone stay frozen; after training `B A` is added to `W`, and the network is a plain one.

Source: E. Hu et al., LoRA: low-rank adaptation of large language models (arXiv:2106.09685).
"""

import re
from importlib.util import find_spec

import torch
from torch import nn

from frostline.backbones.backbone import Backbone
from frostline.backbones.meta_device import eval_mode
from frostline.config.freeze_value import LORA
from frostline.errors import BackboneError, ConfigError

_ADAPTER = "default"  # peft's own name for the only one


def check_peft() -> None:
    """Refuse adapters where the package that makes them is missing.

    Raises:
        ConfigError: It is not installed.
    """
    if find_spec("peft") is None:
        raise ConfigError(
            f"freeze={LORA}: adapters are made by peft, which is not installed here",
            todo="pip install 'frostline[lora]'; a trained run is used without it",
        )


def add_adapters(backbone: Backbone, *, rank: int, seed: int) -> None:
    """Put an adapter beside each linear layer of the attention; the outputs stay as they are.

    Args:
        backbone: Changed in place: the weight of an adapted layer is now `LAYER.base_layer.weight`.
        rank: Of the adapters.
        seed: Draws `A`.

    Raises:
        ConfigError: peft is not installed.
        BackboneError: There is no such layer, or the model reads the weights of one itself, so that
            an adapter would do nothing.
    """
    check_peft()
    from peft import LoraConfig, inject_adapter_in_model

    layers = adapted_layers(backbone.name, backbone.model)
    chosen = "|".join(map(re.escape, layers))
    config = LoraConfig(r=rank, lora_alpha=rank, lora_dropout=0.0, target_modules=chosen)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        inject_adapter_in_model(config, backbone.model)
    _check_reached(backbone, layers)


def adapted_layers(name: str, model: nn.Module) -> list[str]:
    """The paths of a model's linear layers that belong to its attention.

    Raises:
        BackboneError: There are none.
    """
    layers = [
        path
        for path, module in model.named_modules()
        if type(module) is nn.Linear and _is_in_attention(model, path)
    ]
    if not layers:
        raise BackboneError(
            given=f"freeze={LORA}: {name} has no attention with linear layers for adapters",
            allowed="a transformer, such as vit_tiny_patch16_224; other depths for other networks",
        )
    return layers


def _is_in_attention(model: nn.Module, path: str) -> bool:
    """Whether a layer belongs to an attention, and not to an MLP in a block that is called so."""
    parts = path.split(".")
    for count in range(len(parts) - 1, 0, -1):  # the nearest module around it decides
        module = model.get_submodule(".".join(parts[:count]))
        kind = f"{type(module).__name__} {parts[count - 1]}".lower()
        if "mlp" in kind:
            return False
        if "attention" in kind or "attn" in kind:
            return True
    return False


def _check_reached(backbone: Backbone, layers: list[str]) -> None:
    """Look at the gradients of one pass: an adapter that has none is not used.

    Raises:
        BackboneError: There is one.
    """
    model = backbone.model
    images = torch.randn(1, *backbone.input.shape, generator=torch.Generator().manual_seed(0))
    with eval_mode(model), torch.enable_grad():
        torch.autograd.backward(model(images).float().square().sum())
    second = {path: model.get_submodule(f"{path}.lora_B.{_ADAPTER}") for path in layers}
    unused = [path for path, matrix in second.items() if matrix.weight.grad is None]
    model.zero_grad(set_to_none=True)
    if unused:
        raise BackboneError(
            given=f"freeze={LORA}: an adapter of {backbone.name} would do nothing, as its code "
            f"reads the weights of {unused[0]} itself ({len(unused)} of {len(layers)} layers)",
            allowed="a transformer that calls its layers, such as vit_tiny_patch16_224",
        )


def merge_adapters(model: nn.Module) -> None:
    """Add the adapters to the weights beside which they are: a plain network with its own names.

    Args:
        model: Changed in place.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer

    for path, module in list(model.named_modules()):
        if isinstance(module, BaseTunerLayer):
            module.merge(safe_merge=True)
            parent, _, name = path.rpartition(".")
            setattr(model.get_submodule(parent), name, module.get_base_layer())
    vars(model).pop("peft_config", None)
