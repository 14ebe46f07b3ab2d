"""The group `tune`: which values each cell chooses for itself, and from what."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from frostline.config.strict_model import Count, PositiveFraction, StrictModel

Values = Literal["auto"] | list[float]


class TuneSettings(StrictModel):
    """What is tuned, and with how much effort; see conf/tune/lr.yaml."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]
    preset: dict[str, Values]
    over: dict[str, Values] | None
    center: Annotated[float, Field(gt=0.0)] | None
    candidates: Annotated[int, Field(ge=3)]
    step: Annotated[float, Field(gt=1.0)]
    first_frac: PositiveFraction
    solve_head: bool
    head_epochs_factor: Count
    each_seed: bool
    seed: Annotated[int, Field(ge=0, lt=2**31)] | None

    @property
    def values_of(self) -> dict[str, Values]:
        """Key to its values: those of the preset and those that were added or replaced."""
        return self.preset | (self.over or {})

    @field_validator("preset", "over", mode="before")
    @classmethod
    def _lists_of_numbers(cls, over: object) -> object:
        """Refuse what is no list of numbers in words, key by key."""
        if over is None:
            return over
        if not isinstance(over, dict):
            raise ValueError("allowed is a mapping of keys to lists: {lr: [1e-4, 1e-3]}")
        for key, values in over.items():
            if values == "auto":
                if key != "lr":
                    raise ValueError(f"{key}: auto is known for lr only; give a list of numbers")
                continue
            listed = values if isinstance(values, list) else []
            numbers = [v for v in listed if isinstance(v, int | float) and not isinstance(v, bool)]
            if len(numbers) < 2 or len(numbers) != len(listed):
                raise ValueError(f"{key}: {values}: allowed is a list of two or more numbers")
            if len(set(numbers)) < len(numbers):
                raise ValueError(f"{key}: {values}: a value stands there twice")
        return over
