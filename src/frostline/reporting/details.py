"""The chosen configurations from near: learning curves, classes, test figures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from frostline.reporting.figure import Figure, Series
from frostline.reporting.sentences import percent, whole_percent
from frostline.reporting.tables import Column, Table, Value
from frostline.stats.class_results import ClassResults, class_results
from frostline.stats.intervals import share_interval, summarise_seeds
from frostline.stats.paired import cell_spread, scored
from frostline.stats.predictions import Predictions
from frostline.stats.scores import SHORT_WORDS
from frostline.stats.variance import NO_PRIOR, estimate
from frostline.stats.verdict import Row, Rules, Verdict
from frostline.tracking.run_contents import Source

_MOST_CLASSES = 20


@dataclass(frozen=True)
class HeldOutResult:
    """The recommended cell on the test images.

    Attributes:
        value: Mean over seeds; NaN if no run has it.
        interval: Images and seeds; None without predictions.
        says: A sentence for the page.
    """

    value: float
    interval: tuple[float, float] | None
    says: str


def held_out_result(row: Row, source: Source, rules: Rules) -> HeldOutResult:
    """Look at the test figures of the recommended cell, once, after the choice."""
    values = row.cell.values(f"test/{rules.score}")
    score = SHORT_WORDS[rules.score]
    if not values:
        return HeldOutResult(float("nan"), None, f"{row.cell.name} has no test figures.")
    runs = _predictions(row, source, "test")
    summary = summarise_seeds(values, rules.level)
    interval = None
    says = f"{row.cell.name} reaches {score} {percent(summary.mean)}"
    if runs:
        seeds = {seed: scored(one, rules.score) for seed, one in runs.items()}
        spread = cell_spread(seeds)
        interval = share_interval(estimate(spread, NO_PRIOR), rules.level, spread.n_groups)
        low, high = (percent(end) for end in interval)
        says += f" ({whole_percent(rules.level)} interval {low} to {high})"
    says += (
        f", {summary.n} seed{'s' if summary.n > 1 else ''}. The choice was made on validation; the "
        "test figures of the others were not used for it."
    )
    return HeldOutResult(summary.mean, interval, says)


def curve_figures(verdict: Verdict, source: Source) -> list[Figure]:
    """Validation score and losses by epoch, of the chosen configurations."""
    rules = verdict.rules
    score = SHORT_WORDS[rules.score]
    by_score = _curves(verdict.chosen, source, [(f"val/{rules.score}", False)], scale=100)
    losses = _curves(verdict.chosen, source, [("val/loss", False), ("train/loss", True)], scale=1)
    figures = []
    for name, title, y_label, (series, rows) in (
        ("curves", f"Validation {score} by epoch", f"{score} on validation, %", by_score),
        ("losses", "Loss by epoch (dashed: training)", "loss, nats", losses),
    ):
        if series:
            columns = [
                Column("configuration"),
                Column("seed"),
                Column("metric"),
                Column("epoch", "count"),
                Column("value", "number"),
            ]
            table = Table(name, title, columns, rows, folded=True)
            says = "One line a seed, one colour a configuration; epochs count from 0."
            figures.append(Figure(name, title, says, "epoch", y_label, table, series))
    return figures


def class_parts(verdict: Verdict, source: Source) -> tuple[list[Figure], list[Table], str]:
    """F1 of each class on validation, winner and rivals; the winner's table with its test figures.

    Returns:
        Figures, tables, and a sentence if there is nothing to show.
    """
    level = verdict.rules.level
    results: dict[str, ClassResults] = {}
    for row in verdict.chosen:
        runs = list(_predictions(row, source, "val").values())
        if runs and len({run.probs.shape[1] for run in runs}) == 1:
            results[row.cell.name] = class_results(runs, level)
    winner = verdict.recommended.cell
    if winner.name not in results:
        return [], [], f"{winner.name} has no predictions that can be read."
    first = next(iter(winner.runs.values()))
    n_classes = len(results[winner.name].n)
    names = source.classes(first.run_id) or [f"class {k}" for k in range(n_classes)]
    results = {name: one for name, one in results.items() if len(one.n) == n_classes}
    tests = list(_predictions(verdict.recommended, source, "test").values())
    test = class_results(tests, level) if tests else None
    return (
        [_class_figure(results, winner.name, names)],
        [_class_table(results[winner.name], test, winner.name, names)],
        "",
    )


def _class_figure(results: dict[str, ClassResults], winner: str, names: Sequence[str]) -> Figure:
    order = [int(k) for k in np.argsort(np.nan_to_num(results[winner].f1, nan=2.0), kind="stable")]
    drawn = order[:_MOST_CLASSES]
    series = [
        Series(
            name,
            [names[k] for k in drawn],
            [100 * one.f1[k] for k in drawn],
            low=[100 * one.low[k] for k in drawn],
            high=[100 * one.high[k] for k in drawn],
            style="points",
            colour=colour,
        )
        for colour, (name, one) in enumerate(results.items())
    ]
    columns = [Column("class"), Column("configuration")]
    columns += [Column(name, "percent") for name in ("F1 %", "low", "high")]
    rows: list[list[Value]] = [
        [names[k], name, float(one.f1[k]), float(one.low[k]), float(one.high[k])]
        for k in order
        for name, one in results.items()
    ]
    more = f" The {_MOST_CLASSES} hardest classes." if len(order) > len(drawn) else ""
    return Figure(
        "classes",
        "F1 of each class on validation",
        f"Hardest class of {winner} first, with intervals over groups; all seeds together.{more}",
        "",
        "F1 on validation, %",
        Table("classes", "F1 of each class on validation", columns, rows, folded=True),
        series,
        categories=[names[k] for k in drawn],
        dodged=True,
    )


def _class_table(
    val: ClassResults, test: ClassResults | None, winner: str, names: Sequence[str]
) -> Table:
    columns = [Column("class"), Column("val images", "count")]
    columns += [Column(f"val {name} %", "percent") for name in ("recall", "precision", "F1")]
    columns += [Column("most often taken for"), Column("how often %", "percent")]
    if test:
        columns += [Column(f"test {name} %", "percent") for name in ("recall", "precision", "F1")]
    rows: list[list[Value]] = []
    for k, name in enumerate(names):
        taken = int(val.confused[k])
        row: list[Value] = [name, int(val.n[k])]
        row += [float(part[k]) for part in (val.recall, val.precision, val.f1)]
        row += [names[taken], float(val.confused_frac[k])] if taken >= 0 else [None, None]
        row += [float(part[k]) for part in (test.recall, test.precision, test.f1)] if test else []
        rows.append(row)
    return Table(
        "class-results", f"Classes of {winner} (images counted once a seed)", columns, rows
    )


def _curves(
    rows: Sequence[Row], source: Source, metrics: Sequence[tuple[str, bool]], scale: float
) -> tuple[list[Series], list[list[Value]]]:
    series: list[Series] = []
    lines: list[list[Value]] = []
    for colour, row in enumerate(rows):
        named = False
        for metric, dashed in metrics:
            for seed, run in row.cell.runs.items():
                points = [p for p in source.curve(run.run_id, metric) if np.isfinite(p[1])]
                if not points:
                    continue
                series.append(
                    Series(
                        row.cell.name,
                        [float(step) for step, _ in points],
                        [scale * value for _, value in points],
                        style="both" if len(points) == 1 else "line",
                        colour=colour,
                        dashed=dashed,
                        in_legend=not named,
                    )
                )
                named = True
                lines += [[row.cell.name, seed, metric, step, value] for step, value in points]
    return series, lines


def _predictions(row: Row, source: Source, split: str) -> dict[str, Predictions]:
    found = {seed: source.predictions(run.run_id, split) for seed, run in row.cell.runs.items()}
    return {seed: one for seed, one in found.items() if one is not None and len(one.items)}
