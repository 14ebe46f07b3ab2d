"""Figures of the chosen configurations by epoch: validation score and losses."""

from collections.abc import Sequence

import numpy as np

from frostline.reporting.page import Figure, Series
from frostline.reporting.tables import Column, Table, Value
from frostline.stats.folds import word_for
from frostline.stats.judged_cell import Row
from frostline.stats.rules import SHORT_SCORE_NAMES
from frostline.stats.verdict import Verdict
from frostline.tracking.run_contents import Source


def curve_figures(verdict: Verdict, source: Source) -> list[Figure]:
    """Validation score and losses by epoch, of the chosen configurations."""
    rules = verdict.rules
    score = SHORT_SCORE_NAMES[rules.score]
    by_score = _curves(verdict.chosen, source, [(f"val/{rules.score}", False)], scale=100)
    losses = _curves(verdict.chosen, source, [("val/loss", False), ("train/loss", True)], scale=1)
    figures = []
    repeat = word_for(verdict.top.cell.run_ids).removesuffix("s")
    for name, title, y_label, (series, rows) in (
        ("curves", f"Validation {score} by epoch", f"{score} on validation, %", by_score),
        ("losses", "Loss by epoch (dashed: training)", "loss (lower is better)", losses),
    ):
        if series:
            columns = [
                Column("configuration"),
                Column(repeat),
                Column("metric"),
                Column("epoch", "count"),
                Column("value", "number"),
            ]
            table = Table(name, title, columns, rows, folded=True)
            caption = f"One line a {repeat}, one colour a configuration."
            figures.append(
                Figure(name, title, caption, "epoch", y_label, table, series, whole_x=True)
            )
    return figures


def _curves(
    rows: Sequence[Row], source: Source, metrics: Sequence[tuple[str, bool]], scale: float
) -> tuple[list[Series], list[list[Value]]]:
    """Lines to draw and rows of their table, epochs counted from 1 as in the terminal.

    Args:
        rows: The configurations, one colour each.
        source: Where values by epoch come from.
        metrics: Metric, and whether its line is dashed.
        scale: Factor for drawing; the table has the logged values.
    """
    series: list[Series] = []
    lines: list[list[Value]] = []
    for colour, row in enumerate(rows):
        in_legend = False
        for metric, dashed in metrics:
            for seed, run_id in row.cell.run_ids.items():
                points = [p for p in source.curve(run_id, metric) if np.isfinite(p[1])]
                if not points:
                    continue
                series.append(
                    Series(
                        row.cell.name,
                        [float(step + 1) for step, _ in points],
                        [scale * value for _, value in points],
                        style="both" if len(points) == 1 else "line",
                        colour=colour,
                        dashed=dashed,
                        in_legend=not in_legend,
                    )
                )
                in_legend = True
                lines += [[row.cell.name, seed, metric, step + 1, value] for step, value in points]
    return series, lines
