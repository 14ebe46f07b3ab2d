"""Backbones as they were built, for the next job of the same process that asks for the same one.

Jobs of a sweep that share a process build the same model from the same weights again and again.
The last one built is kept untouched, and each job gets a copy. Copies share what was found out
about it: digests, and cuts that were proven.
"""

import copy
from dataclasses import dataclass

from torch import nn

from frostline.backbones.backbone import AsBuilt, Backbone
from frostline.backbones.build import build_backbone
from frostline.backbones.names import check_backbone_name
from frostline.backbones.own_registration import where_defined
from frostline.backbones.weights import WeightsSource, find_weights
from frostline.config.data_settings import RGB_CHANNELS
from frostline.config.image_size import Sides

# A larger model is built each time: nobody expects a second one in memory.
MAX_BYTES = 2**28


@dataclass
class _Kept:
    """The backbone that was built last.

    Attributes:
        key: What it was asked for by, and its weights' file as it was then.
        seed: The seed that it was built with; None if any seed gives the same tensors.
        backbone: It, untouched.
    """

    key: object
    seed: int | None
    backbone: Backbone


_kept: list[_Kept] = []


def backbone_of_job(
    name: str,
    *,
    weights: str,
    image_size: Sides | None,
    seed: int,
    in_chans: int = RGB_CHANNELS,
    weights_key: str | None = None,
    weights_partial: bool = False,
) -> Backbone:
    """What `build_backbone` builds, copied where this process has built it before.

    The file of weights is read again for its digest, so that a change is found all the same.

    Args:
        name: As for `build_backbone`, and so are all others.
        weights: As there.
        image_size: As there.
        seed: As there.
        in_chans: As there.
        weights_key: As there.
        weights_partial: As there.

    Raises:
        BackboneError: As there.
        WeightsError: As there.
    """
    check_backbone_name(name)
    source = find_weights([name], weights)[name]
    given = (name, weights, str(image_size), in_chans, weights_key, weights_partial)
    key = (given, source.source, source.where, source.digest, source.stamp)
    if _kept and _kept[0].key == key and _kept[0].seed in {None, seed}:
        return _copy(_kept[0].backbone)
    _kept.clear()
    built = build_backbone(
        name,
        weights=weights,
        image_size=image_size,
        seed=seed,
        in_chans=in_chans,
        weights_key=weights_key,
        weights_partial=weights_partial,
    )
    if _may_be_kept(built.model, source, built.weights.file_digest):
        built.as_built = AsBuilt()
        try:
            own_seed = seed if _draws(built) else None
            _kept.append(_Kept(key, own_seed, _copy(built)))
        except Exception:  # models are free code, and some cannot be copied
            built.as_built = None
    return built


def _may_be_kept(model: nn.Module, source: WeightsSource, file_digest: str) -> bool:
    """Whether a model is small enough, and its weights are those of the file as it was found."""
    n_bytes = sum(p.numel() * p.element_size() for p in model.parameters())
    return source.source != "hub" and source.digest == file_digest and n_bytes <= MAX_BYTES


def _draws(backbone: Backbone) -> bool:
    """Whether another seed might give other tensors: some are not from the file of weights.

    A user's own backbone may draw whatever it likes.
    """
    weights = backbone.weights
    from_file = weights.source != "random" and not weights.missing and not weights.mismatched
    return (
        not from_file
        or bool(where_defined(backbone.name))
        or any(module._non_persistent_buffers_set for module in backbone.model.modules())
    )


def _copy(backbone: Backbone) -> Backbone:
    made = Backbone(
        backbone.name,
        copy.deepcopy(backbone.model),
        backbone.input,
        backbone.timeline,
        backbone.stages,
        backbone.weights,
    )
    made.as_built = backbone.as_built
    return made
