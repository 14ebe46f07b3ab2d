"""Base of the config's models: a node that rejects unknown keys, and bounded numbers."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
PositiveFraction = Annotated[float, Field(gt=0.0, le=1.0)]
Count = Annotated[int, Field(ge=1)]


class StrictModel(BaseModel):
    """A node of the config: unknown keys, infinity and nan are refused, values stay as typed."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
