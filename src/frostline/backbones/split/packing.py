"""What one part of a pass hands to the other, beside a plain tensor: lists, and numbers."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from frostline.backbones.split.segment import BoundaryValue, Ref, Step


class CutError(Exception):
    """The pass cannot be cut here; the text says why."""


def leaves(value: Any) -> list[Any]:
    """Return what nested lists and tuples hold in the end."""
    if isinstance(value, list | tuple) and not isinstance(value, torch.Size):
        return [leaf for entry in value for leaf in leaves(entry)]
    return [value]


def holds_tensors(value: Any) -> bool:
    """Say whether a value is a tensor or a list with some inside."""
    return any(isinstance(leaf, Tensor) for leaf in leaves(value))


def hand_over(
    name: str, value: Any, handed: list[BoundaryValue], batch: int
) -> tuple[list[Any], Any]:
    """Name every tensor inside a value and say how the value is put together again."""
    if isinstance(value, Tensor):
        handed.append(BoundaryValue(name, value.shape[0] // batch, tuple(value.shape[1:])))
        return [Ref(name)], Ref(name)
    if not isinstance(value, list | tuple):
        raise CutError("a mixture of tensors and other values passes the boundary")
    pieces: list[Any] = []
    whole: list[Any] = []
    for index, entry in enumerate(value):
        inner_pieces, inner = hand_over(f"{name}.{index}", entry, handed, batch)
        pieces.extend(inner_pieces)
        whole.append(inner)
    return pieces, type(value)(whole)


def pieces(gives: Sequence[Ref]) -> Iterator[Step]:
    """Yield the steps that take handed-over tensors out of the lists they are in."""
    for ref in gives:
        base, *places = ref.name.split(".")
        if places:
            yield Step(ref.name, "function", _dig, (Ref(base), [int(p) for p in places]), {})


def _dig(value: Any, places: Sequence[int]) -> Any:
    for place in places:
        value = value[place]
    return value


def restate(
    now: Any, then: Any, batch: int, other_batch: int, first: BoundaryValue, extra: list[Step]
) -> Any:
    """Say a number of the prefix in terms of what the suffix has: a constant, or the batch."""
    if isinstance(now, torch.device):
        return _fact(extra, first, "device")
    if isinstance(now, list | tuple) and len(now) == len(then):
        pairs = zip(now, then, strict=True)
        return tuple(restate(a, b, batch, other_batch, first, extra) for a, b in pairs)
    if type(now) in (bool, str, float, type(None), torch.dtype) and now == then:
        return now
    if isinstance(now, int) and isinstance(then, int):
        if now == then:
            return now
        if now % batch == 0 and now // batch * other_batch == then:
            rows = _fact(extra, first, "rows")
            if now == batch:
                return rows
            name = f"{first.name}.rows_x{now // batch}"
            extra.append(Step(name, "function", _times, (rows, now // batch), {}))
            return Ref(name)
    raise CutError("a value that is neither a tensor nor a known number passes the boundary")


def _fact(extra: list[Step], first: BoundaryValue, what: str) -> Ref:
    name = f"{first.name}.{what}"
    if all(step.name != name for step in extra):
        source = Ref(first.name)
        if what == "device":
            extra.append(Step(name, "function", _device, (source,), {}))
        else:
            extra.append(Step(name, "function", _images, (source, first.rows), {}))
    return Ref(name)


def _images(tensor: Tensor, rows: int) -> int:
    return tensor.shape[0] // rows


def _device(tensor: Tensor) -> torch.device:
    return tensor.device


def _times(count: int, factor: int) -> int:
    return count * factor
