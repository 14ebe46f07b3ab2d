"""What more images would bring, in words for the terminal."""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from frostline.advice.growth.growth import LEVEL, Growth

_LISTED = 5
_OPEN = " (cannot be distinguished)"
SCOPE = (
    "Scores are macro accuracies of new classifiers on frozen features (freeze=all), for images "
    "like these; what fine-tuning would gain from more images is not in them."
)


def growth_lines(name: str, grown: Sequence[Growth]) -> Iterator[str]:
    """Yield lines for the terminal.

    Args:
        name: Of the data set.
        grown: One for each backbone.
    """
    yield f"{name}: what more images would bring"
    for growth in grown:
        yield from _lines_of(growth)
    yield from compared_lines(grown)
    if any(growth.projections for growth in grown):
        yield SCOPE


def compared_lines(grown: Sequence[Growth]) -> Iterator[str]:
    """Yield a sentence for each two backbones of which something can be said."""
    drawn = [growth for growth in grown if growth.draws is not None]
    for one, other in combinations(drawn, 2):
        yield _compared(one, other)


def _lines_of(growth: Growth) -> Iterator[str]:
    yield f"{growth.backbone}, {growth.images:,} training images"
    if growth.measured:
        shown = ", ".join(f"{score:.1%} with {size:,.0f}" for size, score in growth.measured)
        yield f"  measured: {shown}"
    if growth.why_not:
        yield f"  cannot tell: {growth.why_not}"
        return
    for one in growth.projections:
        label = "now" if one.factor == 1 else f"{one.factor}x"
        yield (
            f"  {label:>4} {one.images:>9,} images: {one.score:.1%}, "
            f"{LEVEL:.0%} interval {one.low:.1%} .. {one.high:.1%}"
        )
    yield f"  {gains_text(growth)}"


def gains_text(growth: Growth) -> str:
    """Which classes gained from the last doubling."""
    gaining = [one for one in growth.classes if one.low > 0][:_LISTED]
    if not gaining:
        return "no single class gained from the last doubling beyond chance"
    named = ", ".join(
        f"{one.name} ({100 * one.gain:+.0f} points to {one.recall:.0%})" for one in gaining
    )
    return f"gained from the last doubling beyond chance: {named}"


def _compared(one: Growth, other: Growth) -> str:
    """Who is ahead with as many images as now, and with most."""
    assert one.draws is not None
    assert other.draws is not None
    n = min(len(one.draws), len(other.draws))
    ahead = np.mean(one.draws[:n] > other.draws[:n], axis=0)
    factor = one.projections[-1].factor
    now, then = (f"{share:.0%}{'' if _is_sure(share) else _OPEN}" for share in ahead[[0, -1]])
    return (
        f"{one.backbone} is ahead of {other.backbone} in {now} of resamples with the "
        f"images there are, and in {then} with {factor}x"
    )


def _is_sure(share: float) -> bool:
    """Whether one of two is ahead in nearly all resamples, by the level of the intervals."""
    return abs(share - 0.5) >= LEVEL / 2
