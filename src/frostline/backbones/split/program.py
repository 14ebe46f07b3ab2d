"""A part of a forward pass as a list of calls, with references to earlier results."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

CallKind = Literal["module", "tensor", "function", "method"]


@dataclass(frozen=True)
class ResultRef:
    """A reference to the result of an earlier call."""

    name: str


@dataclass(frozen=True)
class Call:
    """One call.

    Attributes:
        name: Name of its result.
        kind: Whether a module, a function or a method is called, or a tensor of the model is read.
        target: Path of the module or tensor, the function, or the method's name.
        args: Positional arguments, with `ResultRef` for earlier results.
        kwargs: Named arguments, likewise.
        drop: Results that are not needed after this call.
    """

    name: str
    kind: CallKind
    target: Any
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    drop: tuple[str, ...] = ()


@dataclass(frozen=True)
class BoundaryTensor:
    """A tensor that crosses the boundary from one part to the other.

    Attributes:
        name: Name of the result that it is.
        rows_per_image: 1, or more where windows or patches are rows.
        shape: Shape of one row.
    """

    name: str
    rows_per_image: int
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Program:
    """The calls of one part.

    Attributes:
        inputs: What the part receives.
        calls: In order.
        output: What it returns: a structure with `ResultRef`, or a list of them to be packed.
        packed: The outputs in the order in which they are packed; empty if there is only one,
            which is returned as it is.
    """

    inputs: tuple[BoundaryTensor, ...]
    calls: tuple[Call, ...]
    output: Any
    packed: tuple[BoundaryTensor, ...] = ()


def replace_refs(value: Any, results: Mapping[str, Any]) -> Any:
    """Replace every `ResultRef` in a structure by the result."""
    if isinstance(value, ResultRef):
        return results[value.name]
    if isinstance(value, list | tuple):
        return type(value)(replace_refs(entry, results) for entry in value)
    if isinstance(value, dict):
        return {key: replace_refs(entry, results) for key, entry in value.items()}
    if isinstance(value, slice):
        parts = (value.start, value.stop, value.step)
        return slice(*(replace_refs(part, results) for part in parts))
    return value


def ref_names(value: Any) -> Iterator[str]:
    """Yield the names of all references in a structure."""
    if isinstance(value, ResultRef):
        yield value.name
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from ref_names(entry)
    elif isinstance(value, dict):
        for entry in value.values():
            yield from ref_names(entry)
    elif isinstance(value, slice):
        yield from ref_names((value.start, value.stop, value.step))


def continue_from(program: Program, inputs: tuple[BoundaryTensor, ...]) -> Program | None:
    """Return what remains of a program when some of its results are given.

    Args:
        program: From images on.
        inputs: The given results.

    Returns:
        A program from those results on; None if it needs the images besides them.
    """
    by_name = {call.name: call for call in program.calls}
    given = {tensor.name for tensor in inputs}
    needed: set[str] = set()
    pending = list(ref_names(program.output))
    while pending:
        name = pending.pop()
        if name in given or name in needed:
            continue
        if name not in by_name:
            return None  # the images themselves
        needed.add(name)
        pending += ref_names((by_name[name].args, dict(by_name[name].kwargs)))
    calls: list[Call] = []
    available = set(given)
    for call in program.calls:
        if call.name in needed:
            available.add(call.name)
            drop = tuple(name for name in call.drop if name in available)
            available.difference_update(drop)
            calls.append(replace(call, drop=drop))
    return replace(program, inputs=inputs, calls=tuple(calls))
