"""The classes one by one: F1 of the chosen configurations, and a table of the recommended one."""

from collections.abc import Sequence

import numpy as np

from frostline.reporting.cell_predictions import read_cell_predictions
from frostline.reporting.page import Figure, Section, Series
from frostline.reporting.tables import Column, Table, Value
from frostline.stats.class_results import ClassResults, class_results
from frostline.stats.folds import word_for
from frostline.stats.verdict import Verdict
from frostline.tracking.run_contents import Source

_ID, _TITLE = "per-class", "Classes"
_MAX_CLASSES = 20


def class_section(verdict: Verdict, source: Source) -> Section:
    """F1 of each class on validation for the chosen cells; for the recommended one a table too."""
    level = verdict.rules.level
    results: dict[str, ClassResults] = {}
    for row in verdict.chosen:
        runs = list(read_cell_predictions(row.cell, source, "val").values())
        if runs and len({run.probs.shape[1] for run in runs}) == 1:
            results[row.cell.name] = class_results(runs, level)
    winner = verdict.recommended.cell
    if winner.name not in results:
        return Section(_ID, _TITLE, [f"{winner.name} has no predictions that can be read."])
    n_classes = len(results[winner.name].n)
    first_run_id = next(iter(winner.run_ids.values()))
    names = source.classes(first_run_id) or [f"class {k}" for k in range(n_classes)]
    results = {name: one for name, one in results.items() if len(one.n) == n_classes}
    tests = list(read_cell_predictions(winner, source, "test").values())
    test = class_results(tests, level) if tests else None
    return Section(
        _ID,
        _TITLE,
        figures=[_class_figure(results, winner.name, names, word_for(winner.run_ids))],
        tables=[_class_table(results[winner.name], test, winner.name, names)],
    )


def _class_figure(
    results: dict[str, ClassResults], winner: str, names: Sequence[str], repeats: str
) -> Figure:
    order = [int(k) for k in np.argsort(np.nan_to_num(results[winner].f1, nan=2.0), kind="stable")]
    drawn = order[:_MAX_CLASSES]
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
    more = f" The {_MAX_CLASSES} hardest classes." if len(order) > len(drawn) else ""
    return Figure(
        "classes",
        "F1 of each class on validation",
        f"Hardest class of {winner} first, with intervals over groups; all {repeats} together."
        + more,
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
        other = int(val.confused[k])
        row: list[Value] = [name, int(val.n[k])]
        row += [float(part[k]) for part in (val.recall, val.precision, val.f1)]
        row += [names[other], float(val.confused_frac[k])] if other >= 0 else [None, None]
        row += [float(part[k]) for part in (test.recall, test.precision, test.f1)] if test else []
        rows.append(row)
    return Table("class-results", f"Classes of {winner} (images counted once a run)", columns, rows)
