"""The size of the images that a network takes: one side of a square, or height and width."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError
from pydantic_core import PydanticKnownError

MIN_SIDE_PX = 8
Sides = int | tuple[int, int]

_SIDE: TypeAdapter[int] = TypeAdapter(Annotated[int, Field(ge=MIN_SIDE_PX)])
_ALLOWED = "one side of a square, or [height,width]"


def sides_of(image_size: Sides) -> tuple[int, int]:
    """Height and width in pixels."""
    return (image_size, image_size) if isinstance(image_size, int) else image_size


def size_label(height: int, width: int) -> int | str:
    """The size for tables and names: the side of a square, else `96x128`: height and width."""
    return height if height == width else f"{height}x{width}"


def size_word(image_size: Sides) -> str:
    """The size as it is typed: `image_size=224`, `image_size=[96,128]`."""
    height, width = sides_of(image_size)
    return f"image_size={height if height == width else f'[{height},{width}]'}"


def _checked(value: Any) -> Any:
    """A side as it is, two sides as a tuple; two that are equal are the square that they make.

    Raises:
        ValueError: If it is neither.
    """
    if value is None:
        return None
    if not isinstance(value, list | tuple):
        return _side(value)
    given = [part for part in value if isinstance(part, int) and not isinstance(part, bool)]
    if len(value) == 1:
        raise ValueError(f"{_ALLOWED}; for a square write image_size={value[0]}")
    if len(value) != 2:
        each = ",".join(map(str, value)) or "96,[96,128]"
        raise ValueError(f"{_ALLOWED}; for one job each: -m image_size={each}")
    if len(given) != 2 or min(given) < MIN_SIDE_PX:
        raise ValueError(
            f"two whole numbers of {MIN_SIDE_PX} or more: image_size=[224,320] is 224 px high and "
            "320 px wide"
        )
    height, width = given
    return height if height == width else (height, width)


def _side(value: Any) -> int:
    try:
        return _SIDE.validate_python(value)
    except ValidationError as error:
        (problem,) = error.errors()
        raise PydanticKnownError(problem["type"], problem.get("ctx")) from None  # type: ignore[arg-type]


ImageSize = Annotated[Sides | None, BeforeValidator(_checked)]
