"""Computing a deeper prefix from the stored outputs of a shallower one."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from frostline.backbones.backbone import Backbone
from frostline.backbones.depth import Depth
from frostline.backbones.freezing import set_frozen
from frostline.backbones.split.cut import Cut, cut
from frostline.backbones.split.model_part import ModelPart
from frostline.backbones.split.program import BoundaryTensor, continue_from
from frostline.backbones.state_digest import FrozenPart, digest_of
from frostline.data.order import BatchRows
from frostline.errors import BackboneError
from frostline.features.feature_entry import SWEEP_FIELD, EntryKey
from frostline.features.feature_store import FeatureStore
from frostline.features.stored_outputs import StoredOutputs
from frostline.features.view_pairs import pair_codes

# What an entry's file says besides its key, so that deeper prefixes can start from it.
_DEPTH_FIELD = "depth"
_TENSORS_FIELD = "handed"

# Largest difference that is rounding, in units of the type's precision relative to the largest
# value. In half precision 100 units would be most of the range, so that nothing could differ.
_MAX_GAP_EPS = {torch.float32: 100, torch.bfloat16: 4, torch.float16: 4}


@dataclass(frozen=True)
class Shallower:
    """A stored shallower prefix from which a deeper one can be computed.

    Attributes:
        depth: The shallower depth.
        outputs: Its stored outputs.
        rest: Maps those outputs (N, ...) to the deeper prefix's.
    """

    depth: Depth
    outputs: StoredOutputs
    rest: nn.Module


@dataclass
class Found:
    """What was found out about shallower depths of a backbone, for the next time.

    Attributes:
        digests: Depth to the digest of what it freezes.
        rests: Depth to the part from its outputs to the deeper ones; None if there is none.
    """

    digests: dict[str, str] = field(default_factory=dict)
    rests: dict[str, nn.Module | None] = field(default_factory=dict)


def notes_of(parts: Cut) -> dict[str, object]:
    """Return what to store besides an entry's key: its depth, and what crosses its boundary."""
    tensors: list[dict[str, object]] = []
    if isinstance(parts.suffix, ModelPart):
        tensors = [
            {"name": tensor.name, "rows": tensor.rows_per_image, "shape": list(tensor.shape)}
            for tensor in parts.suffix.program.inputs
        ]
    return {_DEPTH_FIELD: parts.depth.prefix_label, _TENSORS_FIELD: tensors}


def _read_tensors(noted: Any) -> tuple[BoundaryTensor, ...]:
    """Read what `notes_of` wrote; empty if it is in another format."""
    if not isinstance(noted, list):
        return ()
    try:
        return tuple(BoundaryTensor(t["name"], t["rows"], tuple(t["shape"])) for t in noted)
    except (TypeError, KeyError):
        return ()


def find_shallower(
    store: FeatureStore,
    key: EntryKey,
    backbone: Backbone,
    parts: Cut,
    wanted: Sequence[BatchRows],
    known: Found | None = None,
) -> Shallower | None:
    """Return the deepest stored shallower prefix of the backbone that has all wanted pairs.

    Args:
        store: Where to look.
        key: Of the deeper prefix.
        backbone: Frozen to the depth of `parts`; frozen to it again on return.
        parts: Its cut.
        wanted: What is to be computed.
        known: From an earlier call with the same key, but for the epoch; added to here.
    """
    known = Found() if known is None else known
    codes = np.concatenate([pair_codes(batch.rows, batch.views) for batch in wanted])
    candidates: list[tuple[Depth, EntryKey, tuple[BoundaryTensor, ...]]] = []
    for found in store.abouts():
        about = dict(found)
        about.pop(SWEEP_FIELD, None)
        label = str(about.pop(_DEPTH_FIELD, ""))
        tensors = _read_tensors(about.pop(_TENSORS_FIELD, None))
        try:
            other = EntryKey(**about)  # type: ignore[arg-type]
            depth = backbone.depth(label)
        except (TypeError, BackboneError):
            continue  # of another version, or of another backbone
        if not tensors or not depth.prefix_tensors < parts.depth.prefix_tensors:
            continue
        if replace(key, boundary=other.boundary, frozen=other.frozen) != other:
            continue
        if depth.label not in known.digests:
            frozen = FrozenPart(backbone.model, depth.prefix_tensors)
            known.digests[depth.label] = digest_of(frozen)
        if known.digests[depth.label] == other.frozen:
            candidates.append((depth, other, tensors))
    for depth, other, tensors in sorted(candidates, key=lambda each: -each[0].prefix_flops):
        segments = store.entry(other).segments()
        if not segments:
            continue
        outputs = StoredOutputs(segments)
        if not np.isin(codes, outputs.codes).all():
            continue
        if depth.label not in known.rests:
            known.rests[depth.label] = _rest_of_prefix(backbone, parts, depth, tensors)
        rest = known.rests[depth.label]
        if rest is not None:
            return Shallower(depth, outputs, rest)
    return None


def _rest_of_prefix(
    backbone: Backbone, parts: Cut, shallower: Depth, tensors: tuple[BoundaryTensor, ...]
) -> nn.Module | None:
    """Return the part from the shallower outputs to the deeper ones; None if there is none."""
    if isinstance(parts.prefix, ModelPart):
        program = continue_from(parts.prefix.program, tensors)
        if program is None:
            return None
        return ModelPart(backbone.model, program, None, (), frozen=True)
    shallow_parts = cut(backbone, shallower, pool=parts.pool)
    set_frozen(backbone, parts.depth)
    return shallow_parts.suffix if shallow_parts.exact else None


def differ_by_rounding_only(direct: Tensor, chained: Tensor) -> bool:
    """Return whether two computations of the same outputs differ by rounding only.

    Both start from the same images in batches of one size, so they differ by some units in the
    last place at most. Numbers that are not finite never agree.
    """
    if direct.shape != chained.shape or direct.dtype != chained.dtype:
        return False
    scale = direct.float().abs().max().clamp_min(torch.finfo(torch.float32).tiny)
    gap = (direct.float() - chained.float()).abs().max() / scale
    return bool(gap < _MAX_GAP_EPS[direct.dtype] * torch.finfo(direct.dtype).eps)
