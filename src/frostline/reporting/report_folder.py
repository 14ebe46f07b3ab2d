"""From runs to a folder: the page, its figures as PNG, its tables as CSV, the verdict as JSON."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from frostline.files import replacing
from frostline.reporting.cell_predictions import (
    NO_RESULT,
    HeldOutResult,
    held_out_result,
    verdict_on,
)
from frostline.reporting.cell_rates import CellRate, cell_rate, with_tuned_as_auto
from frostline.reporting.cell_settings import with_unlogged_settings
from frostline.reporting.conclusion import conclude
from frostline.reporting.fairness import fairness, train_longer
from frostline.reporting.limits import Leak, leak_caveat, limits, recorded_leaks
from frostline.reporting.look_count import NO_LOOKS, Looks
from frostline.reporting.next_steps import NextSteps, next_steps
from frostline.reporting.page import Conclusion, Page
from frostline.reporting.race_section import go_on, open_race, read_race
from frostline.reporting.recommendation import why_not_first
from frostline.reporting.render import render_page
from frostline.reporting.report_sections import report_sections
from frostline.reporting.select import Selection, are_drawings, select
from frostline.reporting.tables import write_csv
from frostline.reporting.trained_enough import trainings, unfinished
from frostline.reporting.typed_rates import at_best_rate, with_choice
from frostline.stats.rules import Rules
from frostline.stats.verdict import Verdict
from frostline.tracking.records import RunRecord
from frostline.tracking.run_contents import Source

PAGE = "report.html"
VERDICT = "verdict.json"
_MAX_DATA = 3
PARTS = (PAGE, VERDICT, "figures", "tables")


@dataclass(frozen=True)
class Report:
    """What was concluded and written.

    Attributes:
        folder: The folder; it holds `PARTS`.
        conclusion: The verdict in sentences.
        verdict: None if there was nothing to compare.
        looks: Looks at these results, this one included where it is one.
    """

    folder: Path
    conclusion: Conclusion
    verdict: Verdict | None
    looks: Looks = NO_LOOKS

    @property
    def page(self) -> Path:
        """The HTML file."""
        return self.folder / PAGE


def write_folder(
    records: Sequence[RunRecord],
    source: Source,
    rules: Rules,
    out: Path,
    *,
    title: str,
    sweep: RunRecord | None = None,
    looks: Looks = NO_LOOKS,
) -> Report:
    """Compare runs and write everything to a folder.

    Args:
        records: Runs of single jobs.
        source: Where their curves and predictions come from.
        rules: How to compare.
        out: The folder; made if need be, files of an earlier report in it are replaced.
        title: What the page is called.
        sweep: The sweep's run.
        looks: Earlier looks at these results.
    """
    records = with_unlogged_settings(with_tuned_as_auto(records), source)
    selection = at_best_rate(select(records, rules.metric, source.damage), rules.metric)
    runs = {run.run_id: run for run in selection.runs}
    rates = {
        cell.name: with_choice(cell_rate(cell, runs), cell, selection) for cell in selection.cells
    }
    looks = looks.with_this(selection, rules)
    verdict = verdict_on(selection, source, rules, looks.number)
    # What is said of the images holds for those of the compared runs.
    shown = selection.runs or records
    drawn = are_drawings(shown)
    held_out, trained, further = NO_RESULT, {}, NextSteps()
    unfair = unsaid = longer = ""
    leaks: list[Leak] = []
    if verdict is not None:
        held_out = held_out_result(verdict, source)
        solved = {name for name, rate in rates.items() if rate.is_solved}
        trained = trainings(verdict, source, solved)
        unfair = fairness(verdict, rates, trained)
        longer = train_longer(trained) if len(verdict.rows) > 1 else ""
        further = next_steps(verdict, selection, source)
        first = next(iter(verdict.top.cell.run_ids.values()))
        leaks = recorded_leaks(verdict, source)
        unsaid = limits(verdict, source.classes(first), leaks)
    race = read_race(sweep, source)
    conclusion = conclude(
        verdict,
        selection,
        held_out.sentence,
        unfair,
        "\n".join(filter(None, (go_on(race, sweep, source), longer, further.text))),
        unsaid,
        drawn=drawn,
    ).with_caveat(unfinished(trained))
    conclusion = conclusion.with_caveat(open_race(race)).with_caveat(leak_caveat(leaks))
    sections = report_sections(
        verdict, selection, held_out, rates, trained, further, race, source, records, sweep
    )
    made = time.strftime("%d %B %Y, %H:%M") + f", from {len(records)} runs"
    _write(Page(_with_data(title, shown), made, conclusion, sections, drawn), out)
    values = _verdict_json(verdict, conclusion, held_out, selection, rates, further)
    text = json.dumps(values, indent=2, ensure_ascii=False) + "\n"
    with replacing(out / VERDICT) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return Report(out, conclusion, verdict, looks)


def _with_data(title: str, records: Sequence[RunRecord]) -> str:
    """A title that also names the data of the runs."""
    names = sorted({run.params["data"] for run in records if "data" in run.params})
    more = [f"{len(names) - _MAX_DATA} more"] if len(names) > _MAX_DATA else []
    data = ", ".join([*names[:_MAX_DATA], *more])
    return f"{title} on {data}" if data and data not in title.split() else title


def _write(page: Page, out: Path) -> None:
    from frostline.reporting.png_figures import write_png

    # Written last: an earlier one must not stand beside the tables of other runs.
    (out / VERDICT).unlink(missing_ok=True)
    for folder, suffix in ((out / "figures", "png"), (out / "tables", "csv")):
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob(f"*.{suffix}"):
            old.unlink()
    for figure in page.figures:
        write_png(figure, out / "figures")
    for table in page.tables:
        write_csv(table, out / "tables")
    with replacing(out / PAGE) as temporary:
        temporary.write_text(render_page(page), encoding="utf-8")


def _verdict_json(
    verdict: Verdict | None,
    conclusion: Conclusion,
    held_out: HeldOutResult,
    selection: Selection,
    rates: Mapping[str, CellRate],
    further: NextSteps,
) -> dict[str, Any]:
    values: dict[str, Any] = {
        "headline": conclusion.headline,
        "text": dict(conclusion.paragraphs),
        "left_out": [
            {"run_id": left.run.run_id, "what": left.kind, "reason": left.reason}
            for left in selection.left_out
        ],
    }
    if verdict is None:
        return values
    take = verdict.recommended
    rate = rates[take.cell.name]
    typed = {"lr": rate.text} if rate.n_typed > 1 else {}
    return values | {
        "score": verdict.rules.score,
        "recommended": {
            "name": take.cell.name,
            "params": {**take.cell.params, **typed},
            "run_ids": dict(take.cell.run_ids),
            "val": take.value,
            "seconds_alone": _number(take.cell.alone_s),
            "seconds_paid": _number(take.cell.paid_s),
            "test": _number(held_out.value),
        },
        "learning_rates": {
            row.cell.name: {
                "value": rates[row.cell.name].value,
                "from": rates[row.cell.name].origin,
                "also_tuned": dict(rates[row.cell.name].also),
            }
            for row in verdict.rows
        },
        "top": verdict.top.cell.name,
        "why_not_first": {
            run_id: sentence
            for row in verdict.rows
            for run_id in row.cell.run_ids.values()
            if (sentence := why_not_first(verdict, run_id))
        },
        "expected_loss": {row.cell.name: row.loss for row in verdict.rows},
        "chance_best": {row.cell.name: row.chance for row in verdict.rows},
        "tolerance": verdict.rules.tolerance,
        "looks": verdict.look,
        "holds_for": "trained models" if verdict.is_of_models else "configurations",
        "next": further.values,
        "candidates": [row.cell.name for row in verdict.candidates],
        "worse": [row.cell.name for row in verdict.rows if row.standing == "worse"],
        "not_tested": [row.cell.name for row in verdict.rows if row.standing == "not tested"],
    }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
