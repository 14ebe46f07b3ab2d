"""Two models on the same images: how far apart their scores are, with a paired interval."""

from dataclasses import dataclass

import numpy as np

from frostline.stats.paired import compare_with_top, scored
from frostline.stats.predictions import Predictions

LEVEL = 0.95
_ONE, _OTHER = "one", "other"


@dataclass(frozen=True)
class Difference:
    """One model's score minus another's.

    Attributes:
        value: In units of the score, a share of 1.
        low: Of the 95 % interval: other images of the same kind, in which those of a group count
            as one, and the same two models.
        high: Of the 95 % interval.
    """

    value: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """`better`, `worse`, or `cannot be distinguished`."""
        return "better" if self.low > 0 else "worse" if self.high < 0 else "cannot be distinguished"

    def __str__(self) -> str:
        return f"{self.value:+.4f} ({self.low:+.4f} .. {self.high:+.4f})"


def difference_of(new: Predictions, old: Predictions, score: str) -> Difference:
    """The score of one model minus that of another, on the same images.

    Args:
        new: Predictions of the one.
        old: Predictions of the other, of the same items.
        score: One of `frostline.stats.rules.SCORES`.

    Raises:
        ValueError: If they are not of the same items with the same labels.
    """
    same = np.array_equal(new.items, old.items) and np.array_equal(new.labels, old.labels)
    if not same:
        raise ValueError("predictions of other items: there is nothing to pair")
    (found,) = compare_with_top(
        {_ONE: scored(old, score)},
        {_OTHER: {_ONE: scored(new, score)}},
        family_size=1,
        level=LEVEL,
        equivalence=0.0,
        is_accuracy=False,
    )
    return Difference(found.difference.value, *found.interval)
