"""Figures of a verdict: scores over freeze depth, as a heat map, against costs, by factor."""

from collections.abc import Callable, Sequence

import numpy as np

from frostline.reporting.figure import MOST_SERIES, Figure, Heat, Series
from frostline.reporting.tables import Column, Table
from frostline.stats.cells import natural
from frostline.stats.effects import Effect
from frostline.stats.scores import SHORT_WORDS
from frostline.stats.verdict import TRAIN_S, Row, Verdict

LATENCY_MS = "time/latency_ms"
_NAN = float("nan")


def depth_figure(verdict: Verdict) -> Figure:
    """Score over freeze depth, one line a backbone, with intervals."""
    best = best_by_depth(verdict)
    depths = sorted({depth for _, depth in best}, key=natural)
    backbones = _by_best(verdict)
    series = []
    for colour, backbone in enumerate(backbones[:MOST_SERIES]):
        rows = [best[backbone, depth] for depth in depths if (backbone, depth) in best]
        series.append(
            Series(
                backbone,
                [row.cell.params.get("freeze", "?") for row in rows],
                [100 * row.value for row in rows],
                low=[100 * _ends(row)[0] for row in rows],
                high=[100 * _ends(row)[1] for row in rows],
                labels=[_label(row) for row in rows],
                colour=colour,
            )
        )
    score = SHORT_WORDS[verdict.rules.score]
    says = (
        f"{score} on validation for each number of frozen stages, mean of the seeds with "
        f"{100 * verdict.rules.level:g} % intervals, one line a backbone"
        + ("; of several settings the best is drawn" if len(best) < len(verdict.rows) else "")
        + (f"; the {MOST_SERIES} best backbones" if len(backbones) > MOST_SERIES else "")
        + "."
    )
    table = Table(
        "depth",
        f"{_first_upper(score)} over freeze depth",
        [
            Column("backbone"),
            Column("freeze"),
            Column(f"val {score} %", "percent"),
            Column("low", "percent"),
            Column("high", "percent"),
            Column("seeds", "count"),
        ],
        [
            [b, d, best[b, d].value, *_ends(best[b, d]), len(best[b, d].cell.runs)]
            for b in backbones
            for d in depths
            if (b, d) in best
        ],
        folded=True,
    )
    return Figure(
        "depth",
        f"{_first_upper(score)} over freeze depth",
        _first_upper(says),
        "freeze (frozen stages)",
        f"{score} on validation, %",
        table,
        series,
        categories=depths,
    )


def heat_figure(verdict: Verdict) -> Figure:
    """Backbone by depth."""
    best = best_by_depth(verdict)
    depths = sorted({depth for _, depth in best}, key=natural)
    backbones = _by_best(verdict)
    values = [[best[b, d].value if (b, d) in best else _NAN for d in depths] for b in backbones]
    score = SHORT_WORDS[verdict.rules.score]
    table = Table(
        "heat",
        f"{_first_upper(score)} on validation, backbone by freeze depth, %",
        [Column("backbone"), *(Column(f"freeze={depth}", "percent") for depth in depths)],
        [[b, *row] for b, row in zip(backbones, values, strict=True)],
        folded=True,
    )
    return Figure(
        "heat",
        "Backbone by freeze depth",
        f"{_first_upper(score)} on validation in percent; darker is better; empty where no run is.",
        "freeze",
        "",
        table,
        heat=Heat(backbones, depths, [[100 * value for value in row] for row in values]),
    )


def cost_figures(verdict: Verdict) -> list[Figure]:
    """Score against training time, trainable parameters and latency, where these are known."""
    kinds: list[tuple[str, str, Callable[[Row], float]]] = [
        ("train-time", "training time of a run, s", lambda row: row.cell.mean(TRAIN_S)),
        ("parameters", "trained parameters", lambda row: row.cell.number("trainable_params")),
        ("latency", "latency, ms an image", lambda row: row.cell.mean(LATENCY_MS)),
    ]
    figures = []
    for name, words, cost_of in kinds:
        rows = [row for row in verdict.rows if cost_of(row) > 0]
        if rows:
            costs = [cost_of(row) for row in rows]
            figures.append(_cost_figure(name, words, rows, costs, verdict))
    return figures


def effects_figure(effects: Sequence[Effect], score: str) -> Figure:
    """Main effects, one panel of points a factor, side by side."""
    factors = list(dict.fromkeys(effect.factor for effect in effects))
    names = [_level_name(effect) for effect in effects]
    series = []
    for colour, factor in enumerate(factors):
        own = [effect for effect in effects if effect.factor == factor]
        known = all(np.isfinite(effect.low) for effect in own)
        series.append(
            Series(
                factor,
                [_level_name(effect) for effect in own],
                [100 * effect.effect for effect in own],
                low=[100 * effect.low for effect in own] if known else (),
                high=[100 * effect.high for effect in own] if known else (),
                style="points",
                colour=colour,
            )
        )
    table = Table(
        "effects",
        "Main effects of what was swept",
        [
            Column("parameter"),
            Column("value"),
            Column("configurations", "count"),
            Column("effect, points", "points"),
            Column("low", "points"),
            Column("high", "points"),
        ],
        [[e.factor, e.level, e.n_cells, e.effect, e.low, e.high] for e in effects],
        folded=True,
    )
    return Figure(
        "effects",
        "What moved the score",
        "Effect of each value on the score against the mean of its parameter, in points, from an "
        "additive model of all configurations.",
        "",
        f"effect on {SHORT_WORDS[score]}, points",
        table,
        series,
        categories=names,
    )


def pareto(costs: Sequence[float], values: Sequence[float]) -> list[int]:
    """Places that no other beats in one of cost and value without losing in the other, by cost."""
    front: list[int] = []
    order = sorted(range(len(costs)), key=lambda k: (costs[k], -values[k]))
    for place in order:
        if not front or values[place] > values[front[-1]]:
            front.append(place)
    return front


def best_by_depth(verdict: Verdict) -> dict[tuple[str, str], Row]:
    """The best row of each backbone and depth."""
    best: dict[tuple[str, str], Row] = {}
    for row in verdict.rows:  # best first
        best.setdefault((_backbone(row), row.cell.params.get("freeze", "?")), row)
    return best


def _cost_figure(
    name: str, words: str, rows: Sequence[Row], costs: Sequence[float], verdict: Verdict
) -> Figure:
    score = SHORT_WORDS[verdict.rules.score]
    front = pareto(costs, [row.value for row in rows])
    backbones = _by_best(verdict)
    series = [
        Series(
            "Pareto front",
            [costs[k] for k in front],
            [100 * rows[k].value for k in front],
            style="line",
            dashed=True,
            colour=MOST_SERIES - 1,
        )
    ]
    for colour, backbone in enumerate(backbones):
        own = [k for k, row in enumerate(rows) if _backbone(row) == backbone]
        series.append(
            Series(
                backbone,
                [costs[k] for k in own],
                [100 * rows[k].value for k in own],
                labels=[_label(rows[k]) for k in own],
                style="points",
                colour=colour,
                in_legend=colour < MOST_SERIES,
                ringed=frozenset(place for place, k in enumerate(own) if k in front),
            )
        )
    table = Table(
        f"cost-{name}",
        f"{_first_upper(score)} against {words}",
        [
            Column("configuration"),
            Column(words, "number"),
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
        f"{_first_upper(score)} against {words.split(',')[0]}",
        "Each point is a configuration. Larger, ringed points are on the Pareto front: no other "
        f"is better and cheaper ({words}).",
        words,
        f"{score} on validation, %",
        table,
        series,
        log_x=max(costs) > 5 * min(costs),
    )


def _level_name(effect: Effect) -> str:
    return effect.level if effect.factor == "backbone" else f"{effect.factor}={effect.level}"


def _ends(row: Row) -> tuple[float, float]:
    """Interval of images and seeds; over seeds alone where predictions are missing."""
    return row.interval if row.interval is not None else (row.seeds.low, row.seeds.high)


def _label(row: Row) -> str:
    low, high = _ends(row)
    return f"{row.cell.name}: {100 * row.value:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def _by_best(verdict: Verdict) -> list[str]:
    return list(dict.fromkeys(_backbone(row) for row in verdict.rows))


def _backbone(row: Row) -> str:
    return row.cell.params.get("backbone", "?")


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]
