"""The section on what moved the score: main effects and interactions of what was swept."""

from collections.abc import Sequence

import numpy as np

from frostline.reporting.number_text import points
from frostline.reporting.page import Figure, Section, Series
from frostline.reporting.select import Selection
from frostline.reporting.tables import Column, Table, Value
from frostline.reporting.typed_rates import AT_BEST_RATE
from frostline.stats.contrasts import Lineup, line_up
from frostline.stats.effects import (
    SHARE_OF_EFFECTS,
    Effect,
    Interaction,
    interactions,
    main_effects,
)
from frostline.stats.folds import word_for
from frostline.stats.looks import alpha_of_look
from frostline.stats.rules import SHORT_SCORE_NAMES
from frostline.stats.verdict import Verdict

_ID, _TITLE = "factors", "What moved the score"
_MAX_INTERACTIONS = 10


def effects_section(verdict: Verdict, selection: Selection) -> Section:
    """Effects of each value, and the strongest interactions."""
    swept = list(selection.swept)
    if not swept or len(verdict.rows) < 3:
        return Section(_ID, _TITLE, ["Too little was swept to estimate effects."])
    alpha = alpha_of_look(verdict.rules.level, verdict.look)
    lineup, notes = _lineup(verdict, alpha)
    params = [row.cell.params for row in verdict.rows]
    values = [row.value for row in verdict.rows]
    effects = main_effects(params, values, swept, alpha, lineup)
    pairs = interactions(params, values, swept, alpha, lineup)
    if selection.tried:
        notes.insert(0, AT_BEST_RATE)
    tables = []
    if len(swept) > 1:
        notes.append(_acting_together(pairs, is_tested=lineup is not None))
    if pairs:
        tables.append(_interactions_table(pairs[:_MAX_INTERACTIONS]))
    figure = _effects_figure(effects, verdict.rules.score)
    return Section(_ID, _TITLE, notes, [figure], tables)


def _lineup(verdict: Verdict, alpha: float) -> tuple[Lineup | None, list[str]]:
    """The cells on the images they share, and what the page says about errors of effects."""
    text = "Each effect is what is left when the other parameters' effects are taken out."
    missing = [row.cell.name for row in verdict.rows if row.cell.name not in verdict.scored]
    if missing:
        return None, [
            f"{text} There are no intervals: the predictions of {len(missing)} of "
            f"{len(verdict.rows)} configurations were not read, such as those of {missing[0]} "
            f"(up to {verdict.rules.max_tested} configurations are read, see --max-tested)."
        ]
    cells = [verdict.scored[row.cell.name] for row in verdict.rows]
    lineup = line_up(cells, [row.cell.optimism for row in verdict.rows])
    if lineup is None:
        return None, [
            f"{text} There are no intervals: no seed has the same validation images in all "
            "configurations."
        ]
    repeats = word_for(verdict.top.cell.run_ids)
    text += (
        f" The intervals come from the images and the {repeats}, and are corrected for all values: "
        f"all of them hold at once in {100 * (1 - SHARE_OF_EFFECTS * alpha):.4g} % of such sweeps. "
        "They are about the configurations that were run, and not about values that were not."
    )
    if lineup.n_seeds == 1:
        text += (
            f" All configurations have one {repeats.removesuffix('s')} in common, so effects and "
            "intervals are those of these trained models on other images: what other "
            f"{repeats} would change is not in them."
        )
    elif any(len(cell) > lineup.n_seeds for cell in cells):
        text += f" They rest on the {lineup.n_seeds} {repeats} that all configurations have."
    return lineup, [text]


def _acting_together(pairs: Sequence[Interaction], *, is_tested: bool) -> str:
    """What the page says about interactions: one is claimed only after correction for all pairs."""
    if not pairs:
        return (
            "Whether parameters act together cannot be estimated: they never vary independently "
            "of each other."
        )
    if not is_tested:
        return "Whether parameters act together was not tested, as there are no intervals."
    shown = [one for one in pairs if one.shown]
    if not shown:
        return (
            "No interaction shown: that the effect of one parameter depends on another is not "
            "proven for any pair of them, which does not mean that there is none."
        )
    return "\n".join(
        f"{one.first} and {one.second} act together: at {_place(one)} the score is "
        f"{points(abs(one.off))} {'above' if one.off > 0 else 'below'} the sum of the effects "
        f"(p = {one.p:.2g} after correction for all combinations and pairs)."
        for one in shown[:_MAX_INTERACTIONS]
    )


def _place(one: Interaction) -> str:
    first, second = one.where
    return f"{one.first}={first}, {one.second}={second}"


def _interactions_table(pairs: Sequence[Interaction]) -> Table:
    columns = [
        Column("parameter"),
        Column("with"),
        Column("explains of the rest, %", "percent"),
        Column("least likely by chance at"),
        Column("off the sum of effects, points", "points"),
        Column("p (all combinations and pairs)", "p"),
        Column("shown"),
    ]
    rows: list[list[Value]] = [
        [
            *(one.first, one.second, one.explained, _place(one), one.off),
            one.p if np.isfinite(one.p) else None,
            "yes" if one.shown else "no",
        ]
        for one in pairs
    ]
    return Table("interactions", "Interactions", columns, rows)


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
            Column("low (all values)", "points"),
            Column("high (all values)", "points"),
            Column("p (all values)", "p"),
        ],
        [[e.factor, e.level, e.n_cells, e.effect, e.low, e.high, e.p] for e in effects],
        folded=True,
    )
    return Figure(
        "effects",
        "What moved the score",
        "Effect of each value on the score against the mean of its parameter, in points, from an "
        "additive model of all configurations; intervals are corrected for all values together.",
        "",
        f"effect on {SHORT_SCORE_NAMES[score]}, points",
        table,
        series,
        categories=names,
    )


def _level_name(effect: Effect) -> str:
    return effect.level if effect.factor == "backbone" else f"{effect.factor}={effect.level}"
