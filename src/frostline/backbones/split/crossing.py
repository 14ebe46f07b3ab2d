"""What crosses a boundary besides one plain tensor: lists of tensors, and numbers.

Several tensors are packed into one with a row per image, so that they can be stored and reordered.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from frostline.backbones.split.program import BoundaryTensor, Call, ResultRef


class CutError(Exception):
    """The forward pass cannot be cut here; the text gives the reason."""


def flatten(value: Any) -> list[Any]:
    """Return the entries of nested lists and tuples in one list."""
    if isinstance(value, list | tuple) and not isinstance(value, torch.Size):
        return [leaf for entry in value for leaf in flatten(entry)]
    return [value]


def contains_tensors(value: Any) -> bool:
    """Return whether a value is a tensor or a nested list with some inside."""
    return any(isinstance(leaf, Tensor) for leaf in flatten(value))


def pass_on(
    name: str, value: Any, crossing: list[BoundaryTensor], batch: int
) -> tuple[list[ResultRef], Any]:
    """Add every tensor inside a value to those that cross the boundary.

    Args:
        name: Name of the value.
        value: A tensor, or nested lists of them.
        crossing: Extended by the tensors.
        batch: Images in the recording.

    Returns:
        References to the tensors, and the value with references in place of its tensors.

    Raises:
        CutError: The value contains something other than tensors.
    """
    if isinstance(value, Tensor):
        crossing.append(BoundaryTensor(name, value.shape[0] // batch, tuple(value.shape[1:])))
        return [ResultRef(name)], ResultRef(name)
    if not isinstance(value, list | tuple):
        raise CutError("a mixture of tensors and other values crosses the boundary")
    refs: list[ResultRef] = []
    structure: list[Any] = []
    for index, entry in enumerate(value):
        entry_refs, entry_structure = pass_on(f"{name}.{index}", entry, crossing, batch)
        refs.extend(entry_refs)
        structure.append(entry_structure)
    return refs, type(value)(structure)


def calls_to_extract(refs: Sequence[ResultRef]) -> Iterator[Call]:
    """Yield the calls that take tensors out of the lists that they are in."""
    for ref in refs:
        base, *indices = ref.name.split(".")
        if indices:
            args = (ResultRef(base), [int(index) for index in indices])
            yield Call(ref.name, "function", _nested_entry, args, {})


def _nested_entry(value: Any, indices: Sequence[int]) -> Any:
    for index in indices:
        value = value[index]
    return value


def in_terms_of_suffix(
    value: Any,
    other_value: Any,
    batch: int,
    other_batch: int,
    source: BoundaryTensor,
    extra: list[Call],
) -> Any:
    """Express a number of the prefix by what the suffix has: a constant, or the batch size.

    Args:
        value: The number, device or the like, or a tuple of them.
        other_value: The same in a recording over another number of images.
        batch: Images in the first recording.
        other_batch: Images in the other.
        source: A tensor that the suffix receives, to read batch size and device from.
        extra: Extended by the calls that read them.

    Raises:
        CutError: It can be neither.
    """
    if isinstance(value, torch.device):
        return _read(extra, source, "device")
    if isinstance(value, list | tuple) and len(value) == len(other_value):
        pairs = zip(value, other_value, strict=True)
        return tuple(in_terms_of_suffix(a, b, batch, other_batch, source, extra) for a, b in pairs)
    if type(value) in (bool, str, float, type(None), torch.dtype) and value == other_value:
        return value
    if isinstance(value, int) and isinstance(other_value, int):
        if value == other_value:
            return value
        if value % batch == 0 and value // batch * other_batch == other_value:
            images = _read(extra, source, "rows")
            if value == batch:
                return images
            name = f"{source.name}.rows_x{value // batch}"
            extra.append(Call(name, "function", _times, (images, value // batch), {}))
            return ResultRef(name)
    raise CutError("a value that is neither a tensor nor a known number crosses the boundary")


def _read(extra: list[Call], source: BoundaryTensor, what: str) -> ResultRef:
    name = f"{source.name}.{what}"
    if all(call.name != name for call in extra):
        ref = ResultRef(source.name)
        if what == "device":
            extra.append(Call(name, "function", _device, (ref,), {}))
        else:
            extra.append(Call(name, "function", _num_images, (ref, source.rows_per_image), {}))
    return ResultRef(name)


def _num_images(tensor: Tensor, rows_per_image: int) -> int:
    return tensor.shape[0] // rows_per_image


def _device(tensor: Tensor) -> torch.device:
    return tensor.device


def _times(count: int, factor: int) -> int:
    return count * factor


def needs_packing(crossing: Sequence[BoundaryTensor]) -> bool:
    """Return whether anything but one tensor with one row per image crosses the boundary."""
    return len(crossing) > 1 or crossing[0].rows_per_image > 1


def pack(tensors: Sequence[Tensor], crossing: Sequence[BoundaryTensor]) -> Tensor:
    """Concatenate tensors `(N rows, ...)` of one type to `(N, P)`."""
    pairs = zip(tensors, crossing, strict=True)
    rows = [tensor.reshape(tensor.shape[0] // part.rows_per_image, -1) for tensor, part in pairs]
    return torch.cat(rows, dim=1)


def unpack(packed: Tensor, crossing: Sequence[BoundaryTensor]) -> list[Tensor]:
    """Undo `pack`."""
    sizes = [part.rows_per_image * torch.Size(part.shape).numel() for part in crossing]
    pieces = zip(torch.split(packed, sizes, dim=1), crossing, strict=True)
    return [piece.reshape(-1, *part.shape).contiguous() for piece, part in pieces]


def axis_order(tensor: Tensor) -> tuple[int, ...]:
    """Return the axes in the order in which they lie in memory, outermost first."""
    strides = tensor.stride()
    return tuple(sorted(range(tensor.ndim), key=lambda axis: -strides[axis]))


def with_axis_order(tensor: Tensor, order: tuple[int, ...]) -> Tensor:
    """Return the same values with their axes in another order in memory."""
    ordered = tensor.permute(order)
    if ordered.is_contiguous():
        return tensor
    back = tuple(order.index(axis) for axis in range(len(order)))
    return ordered.contiguous().permute(back)
