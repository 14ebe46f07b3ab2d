"""BatchNorm over all processes of a run: only where it trains, and as the same layer otherwise.

Lightning's own conversion makes a plain `SyncBatchNorm` of every BatchNorm. timm's also apply the
activation and the dropout that follow, so that the network would be another one; and a frozen one
would follow `train()` again.
"""

from timm.layers.norm_act import convert_sync_batchnorm
from torch import nn

from frostline.backbones.backbone import Backbone


def sync_norms(model: nn.Module, frozen: frozenset[str] = frozenset()) -> list[str]:
    """Let the BatchNorms of a model that train normalise over all processes.

    Call it before the model is frozen and cut: both hold on to its modules. Names, parameters and
    buffers stay, and in one process the outputs, too.

    Args:
        model: Changed in place; not a BatchNorm itself.
        frozen: Names of its tensors that never train.

    Returns:
        The paths of the layers that were replaced.
    """
    synced = []
    for path, module in list(model.named_modules()):
        if not isinstance(module, nn.modules.batchnorm._BatchNorm):
            continue
        tensors = [f"{path}.{name}" for name, _ in module.named_parameters()]
        if tensors and frozen.issuperset(tensors):
            continue
        parent, _, name = path.rpartition(".")
        converted = convert_sync_batchnorm(module)  # type: ignore[no-untyped-call]
        setattr(model.get_submodule(parent), name, converted)
        synced.append(path)
    return synced


def sync_backbone(backbone: Backbone, freeze: int | str, *, adapts: bool) -> list[str]:
    """As `sync_norms`, for what trains at a depth.

    Args:
        backbone: As built.
        freeze: The depth of the last phase, which is the shallowest.
        adapts: Whether frozen BatchNorms adapt their statistics (`frozen_bn=train`).
    """
    frozen = frozenset() if adapts else backbone.depth(freeze).frozen_tensors
    return sync_norms(backbone.model, frozen)
