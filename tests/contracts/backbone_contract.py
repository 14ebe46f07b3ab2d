"""What must hold for every backbone at every depth, as checks that raise when it does not."""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from frostline.backbones.backbone import Backbone
from frostline.backbones.depth import Depth
from frostline.backbones.freezing import is_held_in_eval, trainable_parameters
from frostline.backbones.split.cut import Cut, cut
from frostline.backbones.split.cut_finder import CutFinder
from frostline.backbones.state_digest import digest_of, named_state

_BATCH = 4
_CLASSES = 3
_RATE = 0.2


class BrokenContractError(AssertionError):
    """A backbone does not do what is promised of every backbone."""


@dataclass(frozen=True)
class Outcome:
    """The result of checking one depth.

    Attributes:
        depth: What was frozen.
        exact: Whether there is an exact cut.
        reason: Why not.
    """

    depth: str
    exact: bool
    reason: str


def check_partition(backbone: Backbone) -> None:
    """Check that every parameter and buffer is in exactly one stage.

    Raises:
        BrokenContractError: One is in none or in several.
    """
    listed = [name for stage in backbone.stages for name in stage.tensors]
    names = {name for name, _ in named_state(backbone.model)}
    _require(len(listed) == len(set(listed)), "a tensor is in two stages")
    _require(set(listed) == names, "a tensor is in no stage")
    params = sum(stage.params for stage in backbone.stages)
    _require(params == backbone.total_params, "the stages' parameters do not add up")


def check_depth(
    backbone: Backbone,
    freeze: int | str,
    *,
    seed: int = 0,
    finder: CutFinder | None = None,
) -> Outcome:
    """Check one depth of a backbone: the cut, two training steps, and what must not change.

    Args:
        backbone: Afterwards it is frozen to that depth, has drop rates, and its own weights.
        freeze: A depth.
        seed: Of images, labels and head.
        finder: For the backbone's own pooling, shared by several depths.

    Raises:
        BrokenContractError: Something that must hold does not.
    """
    depth = backbone.depth(freeze)
    parts = cut(backbone, depth, pool="avg", finder=finder)
    _set_drop_rates(backbone.model)
    images, labels, head = _task(backbone, parts, seed)
    backbone.train()
    _check_modes(backbone, depth)
    if parts.exact:
        _check_equal_in_training(backbone, parts, images)
    state = copy.deepcopy(backbone.model.state_dict())
    _check_steps(backbone, parts, head, images, labels)
    backbone.model.load_state_dict(state)
    return Outcome(parts.depth.label, parts.exact, "" if parts.exact else parts.reason)


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise BrokenContractError(otherwise)


def _set_drop_rates(model: nn.Module) -> None:
    """Give every dropout and drop path a rate, so that train mode differs from eval mode."""
    for module in model.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            # In place it would overwrite what some models need for their gradients: they count
            # on a rate of 0.
            module.p = 0.0 if module.inplace else _RATE
        elif hasattr(module, "drop_prob"):
            vars(module)["drop_prob"] = _RATE


def _task(backbone: Backbone, parts: Cut, seed: int) -> tuple[Tensor, Tensor, nn.Module]:
    generator = torch.Generator().manual_seed(seed)
    size = backbone.input.size_px
    images = torch.randn(_BATCH, 3, size, size, generator=generator)
    labels = torch.arange(_BATCH) % _CLASSES
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = nn.Linear(parts.num_features, _CLASSES)
    return images, labels, head


def _check_modes(backbone: Backbone, depth: Depth) -> None:
    """After `train()` on the whole, frozen modules are in eval mode and all others train."""
    for path, module in backbone.model.named_modules():
        prefix = f"{path}." if path else ""
        tensors = [name for name, _ in named_state(module)]
        if not tensors:
            continue
        frozen = all(f"{prefix}{name}" in depth.frozen_tensors for name in tensors)
        _require(
            is_held_in_eval(module) == frozen,
            f"{path}: frozen modules must be held in eval mode, and no others",
        )
        _require(module.training != frozen, f"{path}: is in the wrong mode")
    for name, parameter in backbone.model.named_parameters(remove_duplicate=False):
        if name in depth.frozen_tensors:
            _require(not parameter.requires_grad, f"{name} is frozen and has a gradient")


def _check_equal_in_training(backbone: Backbone, parts: Cut, images: Tensor) -> None:
    """In train mode the parts return what the model returns, and leave the same statistics."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        state = copy.deepcopy(backbone.model.state_dict())
        torch.manual_seed(1)
        whole = backbone.model(images.clone())
        after_whole = copy.deepcopy(backbone.model.state_dict())
        backbone.model.load_state_dict(state)
        torch.manual_seed(1)
        apart = parts.suffix(parts.prefix(images.clone()))
        after_apart = copy.deepcopy(backbone.model.state_dict())
        backbone.model.load_state_dict(state)
    _require(apart.shape == whole.shape, "in train mode the parts return another shape")
    _require(_equal(apart, whole), "in train mode the parts differ from the model")
    for name, tensor in after_whole.items():
        _require(_equal(tensor, after_apart[name]), f"{name} is updated in another way")


def _equal(first: Tensor, second: Tensor) -> bool:
    return bool(torch.allclose(first, second, rtol=0, atol=0, equal_nan=True))


def _check_steps(
    backbone: Backbone, parts: Cut, head: nn.Module, images: Tensor, labels: Tensor
) -> None:
    """Two steps change nothing that is frozen and something of the rest."""
    before = digest_of(parts.frozen_modules)
    trains = {
        n: p.detach().clone() for n, p in backbone.model.named_parameters() if p.requires_grad
    }
    parameters = trainable_parameters(parts.suffix, head)
    optimizer = torch.optim.SGD(parameters, lr=0.05, momentum=0.9)
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    used = backbone.timeline.first_use
    named = backbone.model.named_parameters()
    in_model = {id(p) for name, p in named if p.requires_grad and name in used}
    _require(in_model <= held, "the optimiser misses parameters that train")
    _require(all(p.requires_grad for p in parameters), "the optimiser holds a frozen parameter")
    for _ in range(2):
        optimizer.zero_grad()
        with torch.no_grad():
            outputs = parts.prefix(images)
        loss = F.cross_entropy(head(parts.suffix(outputs)), labels)
        torch.autograd.backward(loss)
        optimizer.step()
    _require(digest_of(parts.frozen_modules) == before, "training changed what is frozen")
    if trains:
        now = dict(backbone.model.named_parameters())
        moved = sum(not torch.equal(now[name], old) for name, old in trains.items())
        _require(moved > 0, "training changed nothing of what trains")


def check_saved(backbone: Backbone, make: Callable[[], nn.Module], images: Tensor) -> None:
    """Check that a state dict loads into a plain timm model and gives the same features.

    Args:
        backbone: The backbone.
        make: Builds the plain timm model without classifier.
        images: ``(N, 3, S, S)``.

    Raises:
        BrokenContractError: The names or the features differ.
    """
    plain = make()
    result = plain.load_state_dict(backbone.model.state_dict(), strict=False)
    _require(not result.unexpected_keys, f"timm does not know {result.unexpected_keys[:3]}")
    backbone.eval()
    plain.eval()
    with torch.no_grad():
        _require(_equal(plain(images), backbone(images)), "a plain timm model gives another result")
