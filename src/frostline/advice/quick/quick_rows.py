"""The answer's rows: scores on validation, their intervals, the best first, and who is behind.

Depths may have been trained at fewer pixels than the question asks for. What they say then is how
much they gain over a solved head *at those pixels*, which is added to the score that the solved
head of their backbone has at the question's own: the same images are behind all three numbers, so
their errors are taken together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from frostline.advice.quick.looks import ALL, LEVEL, SCORE, Look
from frostline.stats.intervals import Estimate, share_interval
from frostline.stats.predictions import value_and_influence

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Row:
    """A cell of the answer.

    Attributes:
        backbone: Its name.
        freeze: Its depth.
        score: Macro F1 on validation at the question's size, 0 to 1: measured, or projected.
        low: Lower end of its 95 % interval.
        high: Upper end.
        gain: Over the solved head of its backbone at the same pixels; None for a solved head.
        behind: By how much it is behind the first row, low and high end of a 95 % interval.
        size_px: Where it was looked at.
        projected: Whether that is another size than the question's.
        how: As in `Look`.
    """

    backbone: str
    freeze: str
    score: float
    low: float
    high: float
    gain: float | None
    behind: tuple[float, float]
    size_px: str
    projected: bool
    how: str

    @property
    def is_behind(self) -> bool:
        """Whether the images say that it is worse than the first row."""
        return self.behind[0] > 0


@dataclass(frozen=True)
class _Scored:
    look: Look
    value: float
    influence: Floats
    gain: float | None


def rows_of(looks: Sequence[Look]) -> list[Row]:
    """The cells that can be compared at the question's size, the best first.

    A depth that was looked at elsewhere needs the solved head of its backbone at both sizes;
    without them it is left out.

    Args:
        looks: On the same validation images, in any order.
    """
    scored = [one for look in looks if (one := _scored(look, looks)) is not None]
    if not scored:
        return []
    groups = np.unique(scored[0].look.predictions.groups, return_inverse=True)[1]
    # Of equal ones that which freezes most: it costs least.
    scored.sort(key=lambda one: (-one.value, one.look.freeze != ALL, -_depth(one.look.freeze)))
    first = scored[0]
    return [
        Row(
            one.look.backbone,
            one.look.freeze,
            one.value,
            *share_interval(_estimate(one.value, one.influence, groups), LEVEL, _count(groups)),
            one.gain,
            _behind(first, one, groups),
            one.look.size_px,
            not one.look.at_own_size,
            one.look.how,
        )
        for one in scored
    ]


def proposed(rows: Sequence[Row]) -> Row:
    """The row to try first: the highest measured one, unless a projected one is surely above it.

    Gains with fewer pixels are too high as a rule, since pretrained features lose more there than
    trained ones: docs/quick.md has the figures.

    Args:
        rows: The highest first, one at least.
    """
    best = next((row for row in rows if not row.projected), rows[0])
    return rows[0] if best.is_behind else best


def _scored(look: Look, looks: Sequence[Look]) -> _Scored | None:
    value, influence = value_and_influence(look.predictions, SCORE)
    head = _head(looks, look.backbone, look.size_px)
    if look.freeze == ALL:
        return _Scored(look, value, influence, None) if look.at_own_size else None
    gain = None
    if head is not None:
        base, base_influence = value_and_influence(head.predictions, SCORE)
        gain = value - base
    if look.at_own_size:
        return _Scored(look, value, influence, gain)
    own = next((x for x in looks if _is_head(x, look.backbone) and x.at_own_size), None)
    if head is None or own is None or gain is None:
        return None
    own_value, own_influence = value_and_influence(own.predictions, SCORE)
    projected = min(1.0, max(0.0, own_value + gain))
    return _Scored(look, projected, own_influence + influence - base_influence, gain)


def _is_head(look: Look, backbone: str) -> bool:
    return look.backbone == backbone and look.freeze == ALL


def _head(looks: Sequence[Look], backbone: str, size_px: str) -> Look | None:
    return next((x for x in looks if _is_head(x, backbone) and x.size_px == size_px), None)


def _depth(freeze: str) -> int:
    return 99 if freeze == ALL else int(freeze)


def _count(groups: NDArray[np.int64]) -> int:
    return int(groups.max()) + 1


def _estimate(value: float, influence: Floats, groups: NDArray[np.int64]) -> Estimate:
    """With the standard error over whole groups of images."""
    sums = np.bincount(groups, weights=influence)
    n = len(sums)
    return Estimate(value, sqrt(float((sums**2).sum()) * n / max(n - 1, 1)), max(n - 1, 1))


def _behind(first: _Scored, one: _Scored, groups: NDArray[np.int64]) -> tuple[float, float]:
    if one is first:
        return 0.0, 0.0
    estimate = _estimate(first.value - one.value, first.influence - one.influence, groups)
    return estimate.interval(LEVEL)
