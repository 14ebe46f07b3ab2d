"""Figures of scores against costs, with the Pareto front."""

from collections.abc import Callable, Sequence

from frostline.reporting.page import MAX_SERIES, Figure, Series
from frostline.reporting.tables import Column, Table
from frostline.reporting.verdict_rows import (
    backbone_of,
    backbones_by_best,
    first_upper,
    point_label,
)
from frostline.stats.judged_cell import Row
from frostline.stats.rules import SHORT_SCORE_NAMES
from frostline.stats.verdict import Verdict

LATENCY_MS = "time/latency_ms"
# Name, what is missing where it is not recorded, axis label, and its value.
_KINDS: Sequence[tuple[str, str, str, Callable[[Row], float]]] = (
    (
        "train-time",
        "training time",
        "training time of a run alone, s",
        lambda r: r.cell.alone_s,
    ),
    (
        "parameters",
        "trained parameters",
        "trained parameters",
        lambda r: r.cell.number("trainable_params"),
    ),
    ("latency", "latency", "latency, ms an image", lambda r: r.cell.mean(LATENCY_MS)),
)


def cost_figures(verdict: Verdict) -> tuple[list[Figure], list[str]]:
    """Score against training time, trainable parameters and latency.

    Returns:
        The figures, and the names of the costs that are not recorded.
    """
    figures, missing = [], []
    for name, short, label, cost_of in _KINDS:
        rows = [row for row in verdict.rows if cost_of(row) > 0]
        if rows:
            costs = [cost_of(row) for row in rows]
            figures.append(_cost_figure(name, label, rows, costs, verdict))
        else:
            missing.append(short)
    return figures, missing


def pareto(costs: Sequence[float], values: Sequence[float]) -> list[int]:
    """Places that no other beats in one of cost and value without losing in the other, by cost."""
    front: list[int] = []
    order = sorted(range(len(costs)), key=lambda k: (costs[k], -values[k]))
    for place in order:
        if not front or values[place] > values[front[-1]]:
            front.append(place)
    return front


def _cost_figure(
    name: str, label: str, rows: Sequence[Row], costs: Sequence[float], verdict: Verdict
) -> Figure:
    score = SHORT_SCORE_NAMES[verdict.rules.score]
    front = pareto(costs, [row.value for row in rows])
    backbones = backbones_by_best(verdict)
    line = Series(
        "Pareto front",
        [costs[k] for k in front],
        [100 * rows[k].value for k in front],
        style="line",
        dashed=True,
        colour=MAX_SERIES - 1,
    )
    series = [line] if len(front) > 1 else []
    for colour, backbone in enumerate(backbones):
        own = [k for k, row in enumerate(rows) if backbone_of(row) == backbone]
        series.append(
            Series(
                backbone,
                [costs[k] for k in own],
                [100 * rows[k].value for k in own],
                labels=[point_label(rows[k]) for k in own],
                style="points",
                colour=colour,
                in_legend=colour < MAX_SERIES,
                ringed=frozenset(place for place, k in enumerate(own) if k in front),
            )
        )
    table = Table(
        f"cost-{name}",
        f"{first_upper(score)} against {label}",
        [
            Column("configuration"),
            Column(label, "number"),
            Column(f"val {score} %", "percent"),
            Column("on the Pareto front"),
        ],
        [
            [row.cell.name, cost, row.value, "yes" if k in front else "no"]
            for k, (row, cost) in enumerate(zip(rows, costs, strict=True))
        ],
        folded=True,
    )
    return Figure(
        f"cost-{name}",
        f"{first_upper(score)} against {label.split(',')[0]}",
        "Each point is a configuration. Larger, ringed points are on the Pareto front: no other "
        f"is better and cheaper ({label}).",
        label,
        f"{score} on validation, %",
        table,
        series,
        log_x=max(costs) > 5 * min(costs),
    )
