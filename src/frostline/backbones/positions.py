"""Whether weights for each place of an image stand in the order of its own rows and columns.

A network for one size has tensors with a row for each patch: position embeddings, tables of biases.
timm resamples them to another size where their number of rows differs, and only some families look
at height and width too: 18 x 32 patches are as many as 24 x 24, and would get these in wrong order.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from frostline.config.image_size import Sides, sides_of, size_word
from frostline.errors import BackboneError, WeightsError

Shapes = Mapping[str, torch.Size]
_NAMED = 3


@dataclass(frozen=True)
class Places:
    """For which images a model is built.

    Attributes:
        sides: Of these images.
        own: Of the images that the weights of this name were trained on.
        shapes_at: Names and shapes of the model's tensors for images of other sides.
    """

    sides: Sides
    own: Sides
    shapes_at: Callable[[Sides], Shapes]


def check_positions(
    name: str,
    places: Places,
    loaded: Mapping[str, Tensor],
    file: Mapping[str, Tensor],
    *,
    is_own_file: bool,
) -> str:
    """Look for tensors that were taken from a file as they are although their places differ.

    Args:
        name: The backbone.
        places: For which images it is built.
        loaded: What goes into the model, by name.
        file: What the file holds.
        is_own_file: Whether the user gave the file, which may be for any size.

    Returns:
        What was taken for granted of a user's file, as a sentence; empty if nothing was.

    Raises:
        WeightsError: If weights for other places would be used as they are.
    """
    sides, own, shapes_at = places.sides, places.own, places.shapes_at
    if isinstance(sides, int) or sides == own:
        return ""
    names = [each for each in _of_places(sides, shapes_at) if each in loaded]
    shapes = _try(shapes_at, own)
    taken = [each for each in names if _is_in(loaded[each], file.values())]
    as_many = [each for each in taken if shapes.get(each) == loaded[each].shape]
    if wrong := (as_many if is_own_file else taken):
        height, width = sides
        raise WeightsError(
            given=f"{size_word(sides)}: {_some(wrong)} of {name} has as many places for "
            f"{height} x {width} px as for {' x '.join(map(str, sides_of(own)))} px, and would be "
            "taken over in that order, which is wrong for a rectangle",
            allowed="a size with another number of patches, or weights=random",
            todo=f"make one side of {size_word(sides)} a little longer or shorter",
        )
    if not is_own_file or not names:
        return ""
    if taken:
        return (
            f"{_some(taken)} is taken over as it is: right if the file is for "
            f"{size_word(sides)} too"
        )
    resampled = [each for each in names if shapes.get(each) == loaded[each].shape]
    if not resampled:
        return ""
    return f"{_some(resampled)} is resampled: right if the file is for {size_word(own)}"


def _of_places(sides: Sides, shapes_at: Callable[[Sides], Shapes]) -> list[str]:
    """Tensors whose shape depends on the number of places."""
    height, width = sides_of(sides)
    here = _try(shapes_at, sides)
    for other in ((2 * height, width), (height, 2 * width), (2 * height, 2 * width)):
        if there := _try(shapes_at, other):
            return [name for name, shape in here.items() if there.get(name, shape) != shape]
    return []


def _try(shapes_at: Callable[[Sides], Shapes], sides: Sides) -> Shapes:
    try:
        return shapes_at(sides)
    except BackboneError:
        return {}


def _is_in(tensor: Tensor, others: Iterable[Tensor]) -> bool:
    return any(other.shape == tensor.shape and torch.equal(other, tensor) for other in others)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
