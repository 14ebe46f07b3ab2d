"""Cutting a recorded forward pass in two at a boundary."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, fx, nn

from frostline.backbones.split.packing import (
    CutError,
    hand_over,
    holds_tensors,
    leaves,
    pieces,
    restate,
)
from frostline.backbones.split.record import INSIDE, Recording
from frostline.backbones.split.segment import BoundaryValue, Kind, Plan, Ref, Step, needs_packing

_KINDS: dict[str, Kind] = {
    "call_module": "module",
    "get_attr": "tensor",
    "call_function": "function",
    "call_method": "method",
}
_HARMLESS_FILES = ("torch.nn.modules.activation", "torch.nn.modules.pooling")
_HARMLESS = (nn.Identity, nn.Flatten)
_RANDOM_WORDS = ("dropout", "rand", "bernoulli", "drop")


@dataclass(frozen=True)
class Slices:
    """The two parts of a pass.

    Args:
        prefix: Steps before the boundary.
        suffix: Steps after it.
        needs_size: True if shapes of one image size are part of the plans.
    """

    prefix: Plan
    suffix: Plan
    needs_size: bool


class _Pass:
    """A recording with what is asked of it again and again.

    A step is *data* if its result is made from the image's values, a *fact* if it is a number or
    the like read off data (a shape, a device), and else *free*: it can be made again anywhere
    from the model's own tensors and from facts.
    """

    def __init__(self, recording: Recording, model: nn.Module, batch: int) -> None:
        self.recording = recording
        self.model = model
        self.batch = batch
        self.nodes = list(recording.graph.nodes)
        self.index = {node: index for index, node in enumerate(self.nodes)}
        self.data: set[fx.Node] = set()
        self.facts: set[fx.Node] = set()
        self.from_state: set[fx.Node] = set()
        for node in self.nodes:
            inputs = node.all_input_nodes
            if node.op == "placeholder" or any(other in self.data for other in inputs):
                is_data = node.op == "output" or holds_tensors(self.value(node))
                (self.data if is_data else self.facts).add(node)
            elif not holds_tensors(self.value(node)) and any(o in self.facts for o in inputs):
                self.facts.add(node)
            if node.op == "get_attr" or any(
                other in self.from_state and other not in self.data for other in inputs
            ):
                self.from_state.add(node)

    def value(self, node: fx.Node) -> Any:
        return self.recording.values.get(node.name)

    def after(self, position: int) -> tuple[list[fx.Node], list[fx.Node], list[fx.Node]]:
        """Say what the steps from a position on need.

        Returns:
            Data handed over, facts known beforehand, and the steps to run: free ones from before
            the position and all needed ones after it.
        """
        found: set[fx.Node] = set()
        open_nodes = [self.nodes[-1]]
        while open_nodes:
            node = open_nodes.pop()
            if node in found:
                continue
            found.add(node)
            early = self.index[node] < position
            if not (early and (node in self.data or node in self.facts)):
                open_nodes.extend(node.all_input_nodes)
        ordered = [node for node in self.nodes if node in found]
        early_nodes = [node for node in ordered if self.index[node] < position]
        handed = [node for node in early_nodes if node in self.data]
        facts = [node for node in early_nodes if node in self.facts]
        apart = {*handed, *facts}
        return handed, facts, [node for node in ordered if node not in apart]

    def moves_freely(self, node: fx.Node) -> bool:
        """Say whether a step may run on either side: no state, no chance, no mode."""
        if node.op in ("placeholder", "output"):
            return False
        if node.op == "get_attr":
            return True
        if any(other in self.from_state for other in node.all_input_nodes):
            return False
        if node.op == "call_module":
            module = self.model.get_submodule(_inner(node.target))
            return all(_is_harmless(part) for part in module.modules())
        words = str(getattr(node.target, "__name__", node.target))
        return not any(word in words for word in _RANDOM_WORDS)


def _is_harmless(module: nn.Module) -> bool:
    if next(module.parameters(), None) is not None or next(module.buffers(), None) is not None:
        return False
    known = type(module).__module__ in _HARMLESS_FILES and not isinstance(module, nn.RReLU)
    return known or isinstance(module, _HARMLESS)


def _inner(target: object) -> str:
    return str(target).removeprefix(INSIDE).removeprefix(".")


def slice_pass(
    recording: Recording,
    other_batch: Callable[[], Recording],
    model: nn.Module,
    position: int,
    *,
    batch: int,
    may_move: bool,
) -> Slices:
    """Divide a recorded pass at a number of steps.

    Steps without parameters next to the boundary go to the side that makes what is handed over
    smallest: a max-pool behind a VGG block, say, to the prefix.

    Args:
        recording: The pass over ``batch`` images.
        other_batch: Records the same over another number of images; asked only where numbers are
            handed over, to tell which of them follow the batch.
        model: The model recorded.
        position: Steps before the boundary.
        batch: Images in ``recording``.
        may_move: Whether steps may go to either side.

    Raises:
        CutError: What would be handed over cannot be: nothing, or not one row an image.
    """
    run = _Pass(recording, model, batch)
    positions = list(_positions(run, position)) if may_move else [position]
    best: tuple[int, int] | None = None
    reason = "nothing that comes from the image passes the boundary"
    for candidate in positions:
        try:
            size = sum(tensor.numel() for tensor in _tensors(run, candidate))
        except CutError as error:
            reason = str(error)
            continue
        if best is None or (size, -candidate) < (best[0], -best[1]):
            best = (size, candidate)
    if best is None:
        raise CutError(reason)
    return _slices(run, other_batch, best[1])


def _positions(run: _Pass, position: int) -> Iterator[int]:
    yield position
    low = position
    while low > 1 and run.moves_freely(run.nodes[low - 1]):
        low -= 1
        yield low
    high = position
    while high < len(run.nodes) - 1 and run.moves_freely(run.nodes[high]):
        high += 1
        yield high


def _tensors(run: _Pass, position: int) -> list[Tensor]:
    """Return the tensors handed over at a position.

    Raises:
        CutError: There are none, or they are not rows of images of one type.
    """
    handed, _, _ = run.after(position)
    tensors = [leaf for node in handed for leaf in leaves(run.value(node))]
    tensors = [leaf for leaf in tensors if isinstance(leaf, Tensor)]
    if not tensors:
        raise CutError("nothing that comes from the image passes the boundary")
    if any(tensor.ndim == 0 or tensor.shape[0] % run.batch for tensor in tensors):
        raise CutError("what passes the boundary does not have one row an image")
    if len({tensor.dtype for tensor in tensors}) > 1:
        raise CutError("tensors of several types pass the boundary")
    return tensors


def _slices(run: _Pass, other_batch: Callable[[], Recording], position: int) -> Slices:
    handed_nodes, facts, later = run.after(position)
    handed: list[BoundaryValue] = []
    gives: list[Any] = []
    known: dict[fx.Node, Any] = {}
    for node in handed_nodes:
        given, known[node] = hand_over(node.name, run.value(node), handed, run.batch)
        gives.extend(given)
    first = handed[0]
    extra: list[Step] = []
    other = other_batch().values if facts else {}
    for node in facts:
        if node.name not in other:
            raise CutError("it takes another path for another number of images")
        images = other[run.nodes[0].name].shape[0]
        known[node] = restate(run.value(node), other[node.name], run.batch, images, first, extra)
    packs = needs_packing(handed)
    prefix = Plan(
        inputs=(BoundaryValue(run.nodes[0].name, 1, ()),),
        steps=(*_steps(_needed(run.nodes[:position], handed_nodes), {}, gives), *pieces(gives)),
        output=[Ref(part.name) for part in handed] if packs else Ref(first.name),
        packed=tuple(handed) if packs else (),
    )
    returned = run.nodes[-1].args[0]
    suffix = Plan(
        inputs=tuple(handed),
        steps=(*extra, *_steps(later, known, [returned])),
        output=_as_refs(returned, known),
    )
    return Slices(prefix, suffix, needs_size=packs or bool(facts))


def _needed(nodes: Sequence[fx.Node], wanted: Iterable[fx.Node]) -> list[fx.Node]:
    """Return those of the nodes that the wanted ones come from, in order."""
    inside = set(nodes)
    found: set[fx.Node] = set()
    open_nodes = list(wanted)
    while open_nodes:
        node = open_nodes.pop()
        if node in found:
            continue
        found.add(node)
        open_nodes.extend(other for other in node.all_input_nodes if other in inside)
    return [node for node in nodes if node in found]


def _as_refs(value: Any, known: dict[fx.Node, Any]) -> Any:
    """Replace nodes by references, or by what is known of them."""
    if isinstance(value, fx.Node):
        return known.get(value, Ref(value.name))
    if isinstance(value, list | tuple):
        return (
            tuple(_as_refs(e, known) for e in value)
            if isinstance(value, tuple)
            else [_as_refs(e, known) for e in value]
        )
    if isinstance(value, dict):
        return {key: _as_refs(entry, known) for key, entry in value.items()}
    if isinstance(value, slice):
        return slice(*(_as_refs(part, known) for part in (value.start, value.stop, value.step)))
    return value


def _refs(value: Any) -> Iterator[str]:
    if isinstance(value, Ref):
        yield value.name
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from _refs(entry)
    elif isinstance(value, dict):
        for entry in value.values():
            yield from _refs(entry)
    elif isinstance(value, slice):
        yield from _refs([value.start, value.stop, value.step])


def _steps(nodes: Sequence[fx.Node], known: dict[fx.Node, Any], kept: Sequence[Any]) -> list[Step]:
    """Turn nodes into steps that let go of each result after its last use."""
    steps = [
        Step(
            name=node.name,
            kind=_KINDS[node.op],
            target=_inner(node.target) if node.op in ("call_module", "get_attr") else node.target,
            args=_as_refs(tuple(node.args), known),
            kwargs=_as_refs(dict(node.kwargs), known),
        )
        for node in nodes
        if node.op in _KINDS
    ]
    keep = {name.split(".")[0] for name in _refs(_as_refs(list(kept), known))}
    own = {step.name for step in steps}
    seen: set[str] = set()
    for index in range(len(steps) - 1, -1, -1):
        step = steps[index]
        used = {name for name in _refs([step.args, step.kwargs]) if name in own}
        dead = used - seen - keep
        unused = {step.name} - seen - keep
        seen |= used | {step.name}
        steps[index] = replace(step, drop=tuple(sorted(dead | unused)))
    return steps
