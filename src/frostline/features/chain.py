"""A deeper prefix started from a shallower one's stored outputs."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from frostline.backbones.build import Backbone
from frostline.backbones.freezing import FrozenPart, digest_of, set_frozen
from frostline.backbones.pooling import Pool
from frostline.backbones.split.cut import Cut, cut
from frostline.backbones.split.segment import BoundaryValue, Plan, Ref, Segment, Step
from frostline.data.order import BatchRows
from frostline.errors import BackboneError
from frostline.features.entry_key import EntryKey
from frostline.features.feature_store import FeatureStore
from frostline.features.stored_outputs import StoredOutputs
from frostline.features.view_pairs import pair_codes

log = logging.getLogger(__name__)

# What an entry notes beside its key, for deeper prefixes to start from it.
DEPTH_NOTE = "depth"
HANDED_NOTE = "handed"


@dataclass(frozen=True)
class Shallower:
    """Where a deeper prefix can start.

    Attributes:
        depth: The shallower `freeze`.
        outputs: Its stored outputs.
        rest: Those outputs (B, ...) to the deeper prefix's.
    """

    depth: str
    outputs: StoredOutputs
    rest: nn.Module


def notes_of(parts: Cut) -> dict[str, object]:
    """What to note beside an entry's key: its depth, and what it hands on."""
    handed: list[dict[str, object]] = []
    if isinstance(parts.suffix, Segment):
        handed = [asdict(part) for part in parts.suffix.plan.inputs]
    return {DEPTH_NOTE: parts.depth_label, HANDED_NOTE: handed}


def _boundary_values(noted: Any) -> tuple[BoundaryValue, ...]:
    """What `notes_of` wrote, read back; empty if another version wrote it."""
    if not isinstance(noted, list):
        return ()
    try:
        return tuple(BoundaryValue(**{**part, "shape": tuple(part["shape"])}) for part in noted)
    except (TypeError, KeyError):
        return ()


def find_shallower(
    store: FeatureStore,
    key: EntryKey,
    backbone: Backbone,
    parts: Cut,
    wanted: Sequence[BatchRows],
    *,
    freeze: int | str,
    pool: Pool,
) -> Shallower | None:
    """The deepest stored prefix of the same backbone that has all wanted pairs.

    Args:
        store: Where to look.
        key: Of the deeper prefix.
        backbone: Frozen to `freeze`, and so again afterwards.
        parts: Its cut.
        wanted: What is to be computed.
        freeze: The deeper depth.
        pool: The pooling of `parts`.
    """
    deep = backbone.depth(freeze)
    codes = np.concatenate([pair_codes(batch.rows, batch.views) for batch in wanted])
    found: list[tuple[int, str, EntryKey, tuple[BoundaryValue, ...]]] = []
    for info in store.list_entries():
        about = dict(info.about)
        label, handed = (
            str(about.pop(DEPTH_NOTE, "")),
            _boundary_values(about.pop(HANDED_NOTE, None)),
        )
        try:
            other = EntryKey(**about)  # type: ignore[arg-type]
            depth = backbone.depth(label)
        except (TypeError, BackboneError):
            continue
        if not handed or not depth.frozen < deep.frozen:
            continue
        same = replace(key, boundary=other.boundary, frozen=other.frozen)
        if same != other or digest_of(FrozenPart(backbone.model, depth.frozen)) != other.frozen:
            continue
        found.append((depth.frozen_flops, label, other, handed))
    for _, label, other, handed in sorted(found, key=lambda each: -each[0]):
        segments = store.entry(other).segments()
        if not segments:
            continue
        outputs = StoredOutputs(segments)
        if not np.isin(codes, outputs.codes).all():
            continue
        rest = _rest(backbone, parts, label, handed, freeze=freeze, pool=pool)
        if rest is not None:
            return Shallower(label, outputs, rest)
    return None


def _rest(
    backbone: Backbone,
    parts: Cut,
    label: str,
    handed: tuple[BoundaryValue, ...],
    *,
    freeze: int | str,
    pool: Pool,
) -> nn.Module | None:
    """From the shallower outputs to the deeper ones; None if there is no such way."""
    if isinstance(parts.prefix, Segment):
        plan = plan_from(parts.prefix.plan, handed)
        if plan is None:
            return None
        return Segment(backbone.model, plan, None, (), frozen=True)
    shallow = cut(backbone, label, pool=pool)
    set_frozen(backbone, freeze)
    return shallow.suffix if shallow.exact else None


def plan_from(plan: Plan, inputs: tuple[BoundaryValue, ...]) -> Plan | None:
    """The part of a plan that is left when some of its results are known.

    Args:
        plan: From images on.
        inputs: The known results.

    Returns:
        A plan from those results on; None if something else of the images is needed too.
    """
    by_name = {step.name: step for step in plan.steps}
    known = {part.name for part in inputs}
    needed: set[str] = set()
    open_names = list(_names(plan.output))
    while open_names:
        name = open_names.pop()
        if name in known or name in needed:
            continue
        if name not in by_name:
            return None  # the images themselves
        needed.add(name)
        open_names += _names((by_name[name].args, dict(by_name[name].kwargs)))
    steps: list[Step] = []
    alive = set(known)
    for step in plan.steps:
        if step.name in needed:
            alive.add(step.name)
            drop = tuple(name for name in step.drop if name in alive)
            alive.difference_update(drop)
            steps.append(replace(step, drop=drop))
    return replace(plan, inputs=inputs, steps=tuple(steps))


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, Ref):
        yield value.name
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from _names(entry)
    elif isinstance(value, dict):
        yield from _names(list(value.values()))
    elif isinstance(value, slice):
        yield from _names((value.start, value.stop, value.step))


def agrees(direct: Tensor, chained: Tensor) -> bool:
    """Whether two ways to the same outputs differ by rounding only.

    Both are computed from the same images in batches of one size, so in float32 they differ by
    some units in the last place at most.
    """
    if direct.shape != chained.shape or direct.dtype != chained.dtype:
        return False
    scale = direct.float().abs().max().clamp_min(torch.finfo(torch.float32).tiny)
    step = torch.finfo(direct.dtype).eps
    return bool((direct.float() - chained.float()).abs().max() / scale < 100 * step)
