"""Figures of scores over freeze depth: lines with intervals, and a heat map."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from frostline.config.freeze_value import LORA, listed_stages
from frostline.reporting.page import MAX_SERIES, Figure, Heat, Series
from frostline.reporting.tables import Column, Table
from frostline.reporting.verdict_rows import (
    backbones_by_best,
    best_by_depth,
    first_upper,
    interval_ends,
    point_label,
)
from frostline.stats.cell import value_order
from frostline.stats.folds import word_for
from frostline.stats.judged_cell import Row
from frostline.stats.rules import SHORT_SCORE_NAMES
from frostline.stats.verdict import Verdict

_NAN = float("nan")


def depth_figure(verdict: Verdict) -> Figure:
    """Score over freeze depth, one line a backbone, with intervals."""
    best = best_by_depth(verdict)
    depths = _in_order({depth for _, depth in best})
    on_scale = [depth for depth in depths if not _is_surgical(depth)]
    backbones = backbones_by_best(verdict)
    series = []
    for colour, backbone in enumerate(backbones[:MAX_SERIES]):
        rows = [best[backbone, depth] for depth in depths if (backbone, depth) in best]
        beside = [row for row in rows if _depth_of(row) not in on_scale]
        line = _series(backbone, [row for row in rows if _depth_of(row) in on_scale], colour)
        series += [line] * bool(line.x)
        if beside:  # no line leads to them: they are no points of the scale
            alone = _series(backbone, beside, colour)
            series.append(replace(alone, style="points", in_legend=not line.x))
    score = SHORT_SCORE_NAMES[verdict.rules.score]
    repeats = word_for(verdict.top.cell.run_ids)
    caption = (
        f"{score} on validation for each number of frozen stages, mean of the {repeats} with "
        f"{100 * verdict.rules.level:g} % intervals, one line a backbone"
        + ("; of several settings the best is drawn" if len(best) < len(verdict.rows) else "")
        + (f"; the {MAX_SERIES} best backbones" if len(backbones) > MAX_SERIES else "")
        + ("; lists such as [3,4], and lora, lie beside the scale, not on it")
        * (len(on_scale) < len(depths))
        + "."
    )
    table = Table(
        "depth",
        f"{first_upper(score)} over freeze depth",
        [
            Column("backbone"),
            Column("freeze"),
            Column(f"val {score} %", "percent"),
            Column("low", "percent"),
            Column("high", "percent"),
            Column(repeats, "count"),
        ],
        [
            [b, d, best[b, d].value, *interval_ends(best[b, d]), len(best[b, d].cell.run_ids)]
            for b in backbones
            for d in depths
            if (b, d) in best
        ],
        folded=True,
    )
    return Figure(
        "depth",
        f"{first_upper(score)} over freeze depth",
        first_upper(caption),
        "freeze (frozen stages)",
        f"{score} on validation, %",
        table,
        series,
        categories=depths,
    )


def _series(backbone: str, rows: Sequence[Row], colour: int) -> Series:
    """Scores of one backbone with their intervals."""
    return Series(
        backbone,
        [_depth_of(row) for row in rows],
        [100 * row.value for row in rows],
        low=[100 * interval_ends(row)[0] for row in rows],
        high=[100 * interval_ends(row)[1] for row in rows],
        labels=[point_label(row) for row in rows],
        colour=colour,
    )


def _depth_of(row: Row) -> str:
    return row.cell.params.get("freeze", "?")


def _is_surgical(depth: str) -> bool:
    """Whether a depth has no place on the scale of the others: a list of stages, or adapters."""
    return depth == LORA or listed_stages(depth) is not None


def _in_order(depths: Iterable[str]) -> list[str]:
    """The depths of the scale from 0 to `all`, then lists of stages."""
    return sorted(depths, key=lambda depth: (_is_surgical(depth), value_order(depth)))


def heat_figure(verdict: Verdict) -> Figure:
    """Backbone by depth."""
    best = best_by_depth(verdict)
    depths = _in_order({depth for _, depth in best})
    backbones = backbones_by_best(verdict)
    values = [
        [best[b, d].value if (b, d) in best else float("nan") for d in depths] for b in backbones
    ]
    score = SHORT_SCORE_NAMES[verdict.rules.score]
    table = Table(
        "heat",
        f"{first_upper(score)} on validation, backbone by freeze depth, %",
        [Column("backbone"), *(Column(f"freeze={depth}", "percent") for depth in depths)],
        [[b, *row] for b, row in zip(backbones, values, strict=True)],
        folded=True,
    )
    return Figure(
        "heat",
        "Backbone by freeze depth",
        f"{first_upper(score)} on validation in percent; darker is better; empty where no run is.",
        "freeze",
        "",
        table,
        heat=Heat(backbones, depths, [[100 * value for value in row] for row in values]),
    )
