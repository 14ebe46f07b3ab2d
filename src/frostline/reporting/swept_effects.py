"""The section on what moved the score: main effects and interactions of what was swept."""

from collections.abc import Sequence

import numpy as np

from frostline.reporting.page import Figure, Section, Series
from frostline.reporting.select import Selection
from frostline.reporting.tables import Column, Table, Value
from frostline.reporting.typed_rates import AT_BEST_RATE
from frostline.stats.effects import Effect, interactions, main_effects
from frostline.stats.rules import SHORT_SCORE_NAMES
from frostline.stats.verdict import Verdict

_ID, _TITLE = "factors", "What moved the score"
_MAX_INTERACTIONS = 10


def effects_section(verdict: Verdict, selection: Selection) -> Section:
    """Effects of each value, and the strongest interactions."""
    swept = list(selection.swept)
    if not swept or len(verdict.rows) < 3:
        return Section(_ID, _TITLE, ["Too little was swept to estimate effects."])
    params = [row.cell.params for row in verdict.rows]
    values = [row.value for row in verdict.rows]
    effects = main_effects(params, values, swept, verdict.rules.level)
    pairs = [one for one in interactions(params, values, swept) if np.isfinite(one.p)]
    pairs = pairs[:_MAX_INTERACTIONS]
    notes = [
        "Each effect is what is left when the other parameters' effects are taken out. Intervals "
        "come from what the sum of effects leaves unexplained; there are none without such a rest."
    ]
    if selection.tried:
        notes.insert(0, AT_BEST_RATE)
    tables = []
    if len(swept) > 1 and not pairs:
        notes.append(
            "Whether parameters act together cannot be estimated: every combination of two of them "
            "is a single configuration, or they never vary together."
        )
    if pairs:
        strongest = pairs[0]
        notes.append(
            f"{strongest.first} and {strongest.second} act together: their combinations explain "
            f"{100 * strongest.explained:.0f} % of what the sum of effects leaves."
        )
        columns = [
            Column("parameter"),
            Column("with"),
            Column("explains of the rest, %", "percent"),
            Column("p (F test)", "p"),
        ]
        rows: list[list[Value]] = [[one.first, one.second, one.explained, one.p] for one in pairs]
        tables.append(Table("interactions", "Interactions", columns, rows))
    figure = _effects_figure(effects, verdict.rules.score)
    return Section(_ID, _TITLE, notes, [figure], tables)


def _effects_figure(effects: Sequence[Effect], score: str) -> Figure:
    """Main effects, one panel of points a factor, side by side."""
    factors = list(dict.fromkeys(effect.factor for effect in effects))
    names = [_level_name(effect) for effect in effects]
    series = []
    for colour, factor in enumerate(factors):
        own = [effect for effect in effects if effect.factor == factor]
        has_interval = all(np.isfinite(effect.low) for effect in own)
        series.append(
            Series(
                factor,
                [_level_name(effect) for effect in own],
                [100 * effect.effect for effect in own],
                low=[100 * effect.low for effect in own] if has_interval else (),
                high=[100 * effect.high for effect in own] if has_interval else (),
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
        f"effect on {SHORT_SCORE_NAMES[score]}, points",
        table,
        series,
        categories=names,
    )


def _level_name(effect: Effect) -> str:
    return effect.level if effect.factor == "backbone" else f"{effect.factor}={effect.level}"
