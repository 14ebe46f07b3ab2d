"""The figure of the score over the number of images: what was measured, and where it leads."""

from collections.abc import Iterator, Sequence

from frostline.advice.growth.growth import FACTORS, LEVEL, Growth
from frostline.reporting.page import MAX_SERIES, Figure, Series
from frostline.reporting.tables import Column, Table, Value

# Intervals of several backbones stand beside each other: each is drawn so much further right.
_ASIDE = 1.025


def growth_figure(grown: Sequence[Growth]) -> Figure:
    """Scores of parts as points, the law as a line, projections with intervals.

    Args:
        grown: One for each backbone, of which one at least was measured; those beyond
            `MAX_SERIES` are in the table alone.
    """
    drawn = [one for one in grown if one.measured][:MAX_SERIES]
    series = [each for place, one in enumerate(drawn) for each in _series_of(one, place)]
    factors = " and ".join(f"{factor}x" for factor in FACTORS)
    aside = " Intervals of several backbones are drawn side by side." if len(drawn) > 1 else ""
    return Figure(
        "growth",
        "Score over the number of training images",
        "Points without bars: macro accuracy of new classifiers on frozen features, measured on "
        "parts of the training images. The line is the power law of the error fitted to them, "
        "dashed beyond the images there are. Points with bars: the law's score with the images "
        f"there are and with {factors}, with {LEVEL:.0%} intervals.{aside}",
        "training images",
        "macro accuracy, %",
        _table(grown),
        series,
        log_x=True,
    )


def _series_of(growth: Growth, place: int) -> Iterator[Series]:
    """Series of one backbone, in its colour."""
    sizes, scores = zip(*growth.measured, strict=True)
    yield Series(
        f"{growth.backbone}: measured",
        sizes,
        [100 * score for score in scores],
        labels=[f"measured with {n:,.0f} images: {score:.1%}" for n, score in growth.measured],
        style="points",
        colour=place,
    )
    if not growth.projections:
        return
    known = [pair for pair in growth.curve if pair[0] <= growth.images]
    beyond = [pair for pair in growth.curve if pair[0] >= growth.images]
    for part, dashed in ((known, False), (beyond, True)):
        yield Series(
            f"{growth.backbone}: power law",
            [n for n, _ in part],
            [100 * score for _, score in part],
            style="line",
            colour=place,
            dashed=dashed,
            in_legend=False,
        )
    yield Series(
        f"{growth.backbone}: power law, {LEVEL:.0%} interval",
        [one.images * _ASIDE**place for one in growth.projections],
        [100 * one.score for one in growth.projections],
        low=[100 * one.low for one in growth.projections],
        high=[100 * one.high for one in growth.projections],
        labels=[
            f"{one.images:,} images: {one.score:.1%} ({one.low:.1%} .. {one.high:.1%})"
            for one in growth.projections
        ],
        style="points",
        colour=place,
        ringed=frozenset(range(len(growth.projections))),
    )


def _table(grown: Sequence[Growth]) -> Table:
    rows: list[list[Value]] = []
    for growth in grown:
        rows += [
            [growth.backbone, "measured", n, score, None, None] for n, score in growth.measured
        ]
        rows += [
            [
                growth.backbone,
                "law, as now" if one.factor == 1 else f"law, {one.factor}x",
                one.images,
                one.score,
                one.low,
                one.high,
            ]
            for one in growth.projections
        ]
    columns = [
        Column("backbone"),
        Column("score is"),
        Column("training images", "count"),
        Column("macro accuracy %", "percent"),
        Column("low %", "percent"),
        Column("high %", "percent"),
    ]
    return Table("growth-table", "The numbers", columns, rows, folded=True)
