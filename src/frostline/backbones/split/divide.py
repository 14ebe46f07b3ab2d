"""Dividing a recorded forward pass in two at a boundary."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor, fx, nn

from frostline.backbones.split.crossing import (
    CutError,
    calls_to_extract,
    flatten,
    in_terms_of_suffix,
    needs_packing,
    pass_on,
)
from frostline.backbones.split.dependencies import Dependencies
from frostline.backbones.split.graph_calls import ancestors, calls_of, with_refs
from frostline.backbones.split.program import BoundaryTensor, Call, Program, ResultRef
from frostline.backbones.split.recording import Recording

_NOTHING_CROSSES = "nothing that is computed from the image crosses the boundary"


@dataclass(frozen=True)
class DividedPass:
    """The two parts of a forward pass.

    Attributes:
        prefix: The calls before the boundary.
        suffix: The calls after it.
        needs_size: True if the programs contain shapes of one image size.
    """

    prefix: Program
    suffix: Program
    needs_size: bool


def divide_pass(
    recording: Recording,
    record_other_batch: Callable[[], Recording],
    model: nn.Module,
    position: int,
    *,
    batch: int,
    may_move: bool,
) -> DividedPass:
    """Divide a recorded pass at a number of steps.

    Steps without parameters next to the boundary join the side that makes the crossing tensors
    smallest: a max-pool after a VGG block, say, joins the prefix.

    Args:
        recording: The pass over `batch` images.
        record_other_batch: Records the same over another number of images; called only where
            numbers cross the boundary, to find which of them depend on the batch.
        model: The model recorded.
        position: Steps before the boundary.
        batch: Images in `recording`.
        may_move: Whether steps may join either side.

    Raises:
        CutError: Nothing crosses the boundary, or something that has not one row per image.
    """
    steps = Dependencies(recording, model, batch)
    positions = list(_positions(steps, position)) if may_move else [position]
    best: tuple[int, int] | None = None
    reason = _NOTHING_CROSSES
    for candidate in positions:
        try:
            size = sum(tensor.numel() for tensor in _crossing_tensors(steps, candidate))
        except CutError as error:
            reason = str(error)
            continue
        if best is None or (size, -candidate) < (best[0], -best[1]):
            best = (size, candidate)
    if best is None:
        raise CutError(reason)
    return _divide_at(steps, record_other_batch, best[1])


def _positions(steps: Dependencies, position: int) -> Iterator[int]:
    yield position
    low = position
    while low > 1 and steps.can_move(steps.nodes[low - 1]):
        low -= 1
        yield low
    high = position
    while high < len(steps.nodes) - 1 and steps.can_move(steps.nodes[high]):
        high += 1
        yield high


def _crossing_tensors(steps: Dependencies, position: int) -> list[Tensor]:
    """Return the tensors that cross the boundary at a position.

    Raises:
        CutError: There are none, they have not one row per image, or they differ in type.
    """
    data, _, _ = steps.needed_after(position)
    tensors = [leaf for node in data for leaf in flatten(steps.value(node))]
    tensors = [leaf for leaf in tensors if isinstance(leaf, Tensor)]
    if not tensors:
        raise CutError(_NOTHING_CROSSES)
    if any(tensor.ndim == 0 or tensor.shape[0] % steps.batch for tensor in tensors):
        raise CutError("what crosses the boundary does not have one row per image")
    if len({tensor.dtype for tensor in tensors}) > 1:
        raise CutError("tensors of several types cross the boundary")
    return tensors


def _divide_at(
    steps: Dependencies, record_other_batch: Callable[[], Recording], position: int
) -> DividedPass:
    data, facts, later = steps.needed_after(position)
    crossing: list[BoundaryTensor] = []
    refs: list[ResultRef] = []
    given: dict[fx.Node, Any] = {}
    for node in data:
        node_refs, given[node] = pass_on(node.name, steps.value(node), crossing, steps.batch)
        refs.extend(node_refs)
    first = crossing[0]
    extra: list[Call] = []
    other = record_other_batch().values if facts else {}
    for node in facts:
        if node.name not in other:
            raise CutError("its code takes another path for another number of images")
        other_batch = other[steps.nodes[0].name].shape[0]
        given[node] = in_terms_of_suffix(
            steps.value(node), other[node.name], steps.batch, other_batch, first, extra
        )
    packs = needs_packing(crossing)
    prefix = Program(
        inputs=(BoundaryTensor(steps.nodes[0].name, 1, ()),),
        calls=(
            *calls_of(ancestors(steps.nodes[:position], data), {}, refs),
            *calls_to_extract(refs),
        ),
        output=[ResultRef(tensor.name) for tensor in crossing] if packs else ResultRef(first.name),
        packed=tuple(crossing) if packs else (),
    )
    returned = steps.nodes[-1].args[0]
    suffix = Program(
        inputs=tuple(crossing),
        calls=(*extra, *calls_of(later, given, [returned])),
        output=with_refs(returned, given),
    )
    return DividedPass(prefix, suffix, needs_size=packs or bool(facts))
