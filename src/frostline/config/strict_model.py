"""Base of the config's models: a node that rejects unknown keys, and bounded numbers."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
PositiveFraction = Annotated[float, Field(gt=0.0, le=1.0)]
Count = Annotated[int, Field(ge=1)]


class StrictModel(BaseModel):
    """A node of the config: unknown keys, infinity and nan are refused, values stay as typed."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def members_of(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a key's annotation allows, out of unions however nested."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from members_of(inner)
