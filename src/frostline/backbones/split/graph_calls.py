"""Turning recorded steps (nodes of a torch.fx graph) into the calls of a program."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import fx

from frostline.backbones.split.program import Call, CallKind, ResultRef, ref_names
from frostline.backbones.split.recording import MODEL_NAME

_KINDS: dict[str, CallKind] = {
    "call_module": "module",
    "get_attr": "tensor",
    "call_function": "function",
    "call_method": "method",
}


def path_in_model(target: object) -> str:
    """Return the path of a recorded module or tensor inside the model."""
    return str(target).removeprefix(MODEL_NAME).removeprefix(".")


def _target(node: fx.Node) -> Any:
    is_path = node.op in ("call_module", "get_attr")
    return path_in_model(node.target) if is_path else node.target


def ancestors(nodes: Sequence[fx.Node], wanted: Iterable[fx.Node]) -> list[fx.Node]:
    """Return those of the nodes that the wanted ones are computed from, in order."""
    inside = set(nodes)
    needed: set[fx.Node] = set()
    pending = list(wanted)
    while pending:
        node = pending.pop()
        if node in needed:
            continue
        needed.add(node)
        pending.extend(other for other in node.all_input_nodes if other in inside)
    return [node for node in nodes if node in needed]


def with_refs(value: Any, given: Mapping[fx.Node, Any]) -> Any:
    """Replace nodes by the values that are given for them, or else by references."""
    if isinstance(value, fx.Node):
        return given.get(value, ResultRef(value.name))
    if isinstance(value, list | tuple):
        return (
            tuple(with_refs(e, given) for e in value)
            if isinstance(value, tuple)
            else [with_refs(e, given) for e in value]
        )
    if isinstance(value, dict):
        return {key: with_refs(entry, given) for key, entry in value.items()}
    if isinstance(value, slice):
        return slice(*(with_refs(part, given) for part in (value.start, value.stop, value.step)))
    return value


def calls_of(
    nodes: Sequence[fx.Node], given: Mapping[fx.Node, Any], outputs: Sequence[Any]
) -> list[Call]:
    """Turn nodes into calls that drop each result after its last use.

    Args:
        nodes: The steps, in order.
        given: Values that replace the results of other nodes.
        outputs: Nodes and references whose results are kept to the end.
    """
    calls = [
        Call(
            name=node.name,
            kind=_KINDS[node.op],
            target=_target(node),
            args=with_refs(tuple(node.args), given),
            kwargs=with_refs(dict(node.kwargs), given),
        )
        for node in nodes
        if node.op in _KINDS
    ]
    kept = {name.split(".")[0] for name in ref_names(with_refs(list(outputs), given))}
    own = {call.name for call in calls}
    seen: set[str] = set()
    for index in range(len(calls) - 1, -1, -1):
        call = calls[index]
        used = {name for name in ref_names([call.args, call.kwargs]) if name in own}
        last_used = used - seen - kept
        never_used = {call.name} - seen - kept
        seen |= used | {call.name}
        calls[index] = replace(call, drop=tuple(sorted(last_used | never_used)))
    return calls
