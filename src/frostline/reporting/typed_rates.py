"""Sweeps over typed learning rates: each configuration at its best rate, all rates beside it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from frostline.reporting.cell_rates import AUTO, LR, CellRate
from frostline.reporting.cell_settings import cell_name, configuration, swept_params
from frostline.reporting.page import MAX_SERIES, Figure, Section, Series
from frostline.reporting.select import Selection
from frostline.reporting.tables import Column, Table, Value
from frostline.stats.cell import TRAIN_S, TUNE_S, Cell, value_order
from frostline.stats.rules import SHORT_SCORE_NAMES
from frostline.stats.verdict import Verdict

# In place of the rate of a cell that was run with several.
TYPED = "typed"
AT_BEST_RATE = (
    "Several learning rates were typed: each configuration is shown at its best one, and its score "
    "is the mean less what the choice of the best adds by luck (see Learning rates)."
)


def at_best_rate(selection: Selection, metric: str) -> Selection:
    """Join cells that differ in a typed rate only: each configuration is shown at its best one.

    Only rates with the most seeds can be the best, so that a rate that was run once, or failed
    on some seeds, does not win by luck. What the other rates took is tuning time of the cell.
    Nothing is joined where no configuration has several rates, and where the rate is all that was
    swept: then the rates are what is compared.

    Args:
        selection: Cells of one rate each.
        metric: What the best rate has the highest mean of.
    """
    families: dict[tuple[tuple[str, str], ...], list[Cell]] = defaultdict(list)
    for cell in selection.cells:
        families[tuple(sorted(_without_rate(cell.params).items()))].append(cell)
    if len(families) < 2 or len(families) == len(selection.cells):
        return selection
    bests = {key: _best(cells, metric) for key, cells in families.items()}
    swept = swept_params([best.params for best in bests.values()])
    joined: list[Cell] = []
    tried: dict[str, Mapping[str, Cell]] = {}
    for key, cells in families.items():
        best = replace(bests[key], name=cell_name(bests[key].params, swept))
        joined.append(best)
        if len(cells) > 1:
            by_rate = {cell.params.get(LR, "?"): cell for cell in cells}
            order = sorted(by_rate, key=value_order)
            tried[best.name] = {rate: by_rate[rate] for rate in order}
    return replace(selection, cells=tuple(joined), swept=tuple(swept), tried=tried)


def candidates(tried: Mapping[str, Cell]) -> dict[str, Cell]:
    """The rates that can be the best of a configuration: those with the most seeds."""
    most = max(len(cell.run_ids) for cell in tried.values())
    return {rate: cell for rate, cell in tried.items() if len(cell.run_ids) == most}


def chosen_rate(cell: Cell, tried: Mapping[str, Cell]) -> str:
    """The rate that a joined cell is shown at."""
    return next(rate for rate, one in tried.items() if one.run_ids == cell.run_ids)


def with_choice(rate: CellRate, cell: Cell, selection: Selection) -> CellRate:
    """A cell's rate as the best of those that were typed; rates whose runs failed were tried, too.

    Args:
        rate: As its runs have it.
        cell: The cell.
        selection: With the rates that were tried.
    """
    if not selection.tried or cell.params.get(LR) != TYPED:
        return rate
    tried = selection.tried.get(cell.name, {rate.text: cell})
    failed = {
        left.run.params.get(LR, "?")
        for left in selection.left_out_as("failed")
        if _without_rate(configuration(left.run.params)) == cell.params
    }
    order = sorted({*tried, *failed}, key=value_order)
    if len(order) < 2:
        return rate
    at_edge = chosen_rate(cell, tried) in (order[0], order[-1])
    return replace(
        rate,
        origin=f"best of {len(order)} {rate.origin}",
        at_edge=(*rate.at_edge, *([LR] if at_edge else [])),
        n_typed=len(order),
    )


def rates_section(verdict: Verdict, selection: Selection) -> list[Section]:
    """Every typed rate of every configuration; no section where nothing was joined."""
    if not selection.tried:
        return []
    metric, score = verdict.rules.metric, SHORT_SCORE_NAMES[verdict.rules.score]
    series: list[Series] = []
    rows: list[list[Value]] = []
    for row in verdict.rows:
        tried = selection.tried.get(row.cell.name, {})
        best = chosen_rate(row.cell, tried) if tried else ""
        for rate, cell in tried.items():
            shown = "yes" if rate == best else "no"
            rows.append([row.cell.name, rate, cell.mean(metric), len(cell.run_ids), shown])
        if tried and len(series) < MAX_SERIES:
            series.append(
                Series(
                    row.cell.name,
                    list(tried),
                    [100 * cell.mean(metric) for cell in tried.values()],
                    colour=len(series),
                    ringed=frozenset([list(tried).index(best)]),
                )
            )
    columns = [
        Column("configuration"),
        Column("learning rate"),
        Column(f"val {score} %", "percent"),
        Column("seeds", "count"),
        Column("chosen"),
    ]
    title = "Score over learning rate"
    values = {rate for tried in selection.tried.values() for rate in tried}
    figure = Figure(
        "rates",
        title,
        f"{score[:1].upper()}{score[1:]} on validation of each typed rate, mean of the seeds, one "
        "line a configuration; the ring is the rate at which it is compared.",
        "learning rate",
        f"{score} on validation, %",
        Table("rates", title, columns, rows, folded=True),
        series,
        categories=sorted(values, key=value_order),
    )
    return [Section("rates-section", "Learning rates", [_note(verdict)], [figure])]


def _note(verdict: Verdict) -> str:
    off = [row.cell.optimism for row in verdict.rows]
    text = (
        "Several learning rates were typed, and each configuration is compared at its best one. "
        "The highest of several scores is too high, as the images that judge it have chosen it"
    )
    if max(off) <= 0:
        return f"{text}; nothing is taken off here, as every choice is clear or cannot be checked."
    return (
        f"{text}: by {100 * float(np.mean(off)):.1f} points on average, {100 * max(off):.1f} at "
        "most. That is taken off on this page, but not from the scores below."
    )


def _best(cells: Sequence[Cell], metric: str) -> Cell:
    """The cell of the best rate; its parameters no longer hold the rate."""
    able = candidates({str(k): cell for k, cell in enumerate(cells)})
    best = max(able.values(), key=lambda cell: (cell.mean(metric), cell.name))
    params = _without_rate(best.params)
    others = [cell.total(TRAIN_S) for cell in cells if cell is not best]
    spent = float(np.nansum(others))
    if spent <= 0:
        return replace(best, params=params)
    first, *rest = best.metrics
    with_others = {**best.metrics[first], TUNE_S: best.metrics[first].get(TUNE_S, 0.0) + spent}
    metrics = {first: with_others} | {seed: best.metrics[seed] for seed in rest}
    return replace(best, params=params, metrics=metrics)


def _without_rate(params: Mapping[str, str]) -> dict[str, str]:
    """Parameters in which all typed rates are alike; a tuned cell stays one of its own."""
    if params.get(LR, AUTO) == AUTO:
        return dict(params)
    return {**params, LR: TYPED}
