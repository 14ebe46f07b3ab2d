"""Tensors at the boundary: several of them as one row per image, and their order in memory."""

from collections.abc import Sequence

import torch
from torch import Tensor

from frostline.backbones.split.program import BoundaryTensor


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
