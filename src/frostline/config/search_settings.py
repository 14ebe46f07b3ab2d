"""The group `search`, and the budget of a command: see conf/search and docs/search.md."""

import math
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from frostline.config.strict_model import Fraction, PositiveFraction, StrictModel

_UNITS_S = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
}
_EPOCHS = ("epoch", "epochs")
# `sweep.until_epoch` of a first look: one candidate of a tuned job trains the first part of the
# schedule, and nothing is chosen yet.
FIRST_LOOK = 0
_ALLOWED = "allowed is a time (90s, 20m, 1.5h) or a number of epochs (500epochs), above 0; or null"


class GridSearch(StrictModel):
    """All jobs are trained to their end."""

    name: Literal["grid"]


class RaceSearch(StrictModel):
    """Cells are trained in rounds, and those unlikely to be chosen are dropped.

    Attributes:
        score: By which cells are judged.
        tolerance: A cell is in reach of the best if it lies no more than this below it.
        drop_loss: A round drops cells as long as that is expected to cost no more than this, and a
            tenth of it where cells are at their end.
        keep_frac: Share of a round's cells that goes on at least, while epochs are compared.
        settled_at: The chance of the recommended cell at which the race is settled.
        finish_frac: Share of a budget that is kept to train the highest cells to their end; the
            rest may be spent on comparing cells before theirs.
        rungs: Shares of `epochs` after which the cells of the first seed are compared.
    """

    name: Literal["race"]
    score: Literal["f1_macro", "acc_macro", "acc_micro"]
    tolerance: Annotated[float, Field(gt=0.0, lt=1.0)]
    drop_loss: Annotated[float, Field(ge=0.0, lt=1.0)]
    keep_frac: Fraction
    settled_at: Annotated[float, Field(gt=0.5, lt=1.0)]
    finish_frac: Annotated[float, Field(ge=0.0, lt=1.0)]
    rungs: list[PositiveFraction]

    @field_validator("rungs")
    @classmethod
    def _rising(cls, rungs: list[float]) -> list[float]:
        if sorted(set(rungs)) != rungs:
            raise ValueError("allowed are shares of the epochs, each larger than the one before")
        return rungs

    def rungs_of(self, epochs: int) -> list[int]:
        """Epochs after which cells are compared, the last one included, such as 1, 2, 6."""
        return sorted({max(1, round(share * epochs)) for share in self.rungs} | {epochs})


Search = GridSearch | RaceSearch


@dataclass(frozen=True)
class Budget:
    """What a whole command may take: seconds, or epochs; the other one is infinite.

    Attributes:
        seconds: From the start of the command.
        epochs: Of all jobs, candidates of tuned cells included.
    """

    seconds: float = math.inf
    epochs: float = math.inf

    @property
    def is_none(self) -> bool:
        """Whether there is no limit."""
        return math.isinf(self.seconds) and math.isinf(self.epochs)


def checked_budget(value: Any) -> Any:
    """Accept what `budget_of` can read.

    Raises:
        ValueError: If it is neither a time nor a number of epochs, or not above 0.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str) or _read(value) is None:
        raise ValueError(_ALLOWED)
    return value


def budget_of(value: str | None) -> Budget:
    """A checked budget as numbers.

    Args:
        value: Such as `20m`, `2h`, `500epochs`; None for no limit.
    """
    if value is None:
        return Budget()
    number, unit = _read(value) or (math.inf, "s")
    return Budget(epochs=number) if unit in _EPOCHS else Budget(seconds=number * _UNITS_S[unit])


def _read(text: str) -> tuple[float, str] | None:
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-z]+)\s*", text.lower())
    if found is None or found[2] not in (*_UNITS_S, *_EPOCHS):
        return None
    number = float(found[1])
    return (number, found[2]) if number > 0 else None
