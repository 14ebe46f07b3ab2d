"""From runs to a folder: the page, its figures as PNG, its tables as CSV, the verdict as JSON."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from frostline.reporting import leaderboard
from frostline.reporting.details import HeldOutResult, class_parts, curve_figures, held_out_result
from frostline.reporting.page import Conclusion, Page, Section
from frostline.reporting.render import render_page
from frostline.reporting.sentences import say, whole_percent
from frostline.reporting.tables import Column, Table, Value, write_csv
from frostline.reporting.unlogged_settings import with_hidden_settings
from frostline.reporting.verdict_figures import (
    cost_figures,
    depth_figure,
    effects_figure,
    heat_figure,
)
from frostline.stats.cells import Selection, is_drawn, select
from frostline.stats.effects import interactions, main_effects
from frostline.stats.scores import SCORE_WORDS
from frostline.stats.verdict import Rules, Verdict, judge
from frostline.tracking.records import RunRecord
from frostline.tracking.run_contents import Source

PAGE_NAME = "report.html"
PARTS = (PAGE_NAME, "verdict.json", "figures", "tables")
_MOST_INTERACTIONS = 10


@dataclass(frozen=True)
class Report:
    """What was found and written.

    Attributes:
        page: The HTML file.
        words: The verdict in words.
        verdict: None if there was nothing to compare.
    """

    page: Path
    words: Conclusion
    verdict: Verdict | None


def write_folder(
    records: Sequence[RunRecord],
    source: Source,
    rules: Rules,
    out: Path,
    *,
    title: str,
    parent: RunRecord | None = None,
) -> Report:
    """Judge runs and write everything to a folder.

    Args:
        records: Runs of single jobs.
        source: Where their curves and predictions come from.
        rules: How to judge.
        out: The folder; made if need be, files of an earlier report in it are replaced.
        title: What the page is called.
        parent: The sweep's run.
    """
    records = with_hidden_settings(records, source)
    selection = select(records, f"val_best/{rules.score}")
    verdict = judge(selection, source, rules)
    drawn = is_drawn(records)
    look = HeldOutResult(float("nan"), None, "")
    if verdict is not None:
        look = held_out_result(verdict.recommended, source, rules)
    words = say(verdict, selection, look.says, drawn=drawn)
    sections = _sections(verdict, selection, look, source, records, parent)
    made = time.strftime("%d %B %Y, %H:%M") + f", from {len(records)} runs"
    page = Page(title, made, words, sections, drawn)
    _write(page, out)
    found = _summary(verdict, words, look, selection)
    (out / "verdict.json").write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    return Report(out / PAGE_NAME, words, verdict)


def _write(page: Page, out: Path) -> None:
    from frostline.reporting.png_figures import write_png

    for folder, suffix in ((out / "figures", "png"), (out / "tables", "csv")):
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob(f"*.{suffix}"):
            old.unlink()
    for figure in page.figures:
        write_png(figure, out / "figures")
    for table in page.tables:
        write_csv(table, out / "tables")
    (out / PAGE_NAME).write_text(render_page(page), encoding="utf-8")


def _sections(
    verdict: Verdict | None,
    selection: Selection,
    look: HeldOutResult,
    source: Source,
    records: Sequence[RunRecord],
    parent: RunRecord | None,
) -> list[Section]:
    failed = leaderboard.failures(selection)
    note = "" if failed.rows else "Nothing failed, and no run was left out."
    left_out = Section("failed", "What failed", _only(note), (), [failed] if failed.rows else [])
    if verdict is None:
        return [left_out]
    pairs = leaderboard.comparisons(verdict)
    classes, class_tables, no_classes = class_parts(verdict, source)
    curves = curve_figures(verdict, source)
    costs = cost_figures(verdict)
    return [
        Section(
            "leaders",
            "Leaderboard",
            _leaderboard_notes(verdict),
            (),
            [leaderboard.leaderboard(verdict, look), *([pairs] if pairs else [])],
        ),
        Section("depth-section", "Freeze depth", (), [depth_figure(verdict)]),
        Section("heat-section", "Backbone by depth", (), [heat_figure(verdict)]),
        Section("tradeoff", "Score against cost", _only(_unknown_costs(costs)), costs),
        _effects_section(verdict, selection),
        Section(
            "learning",
            "Learning curves",
            _only("" if curves else "No values by epoch are recorded."),
            curves,
        ),
        Section("per-class", "Classes", _only(no_classes), classes, class_tables),
        Section("cost", "What it took", _cost_notes(), (), [leaderboard.costs(verdict)]),
        left_out,
        Section(
            "method",
            "How it was done",
            _method_notes(verdict),
            (),
            [leaderboard.how(verdict, selection, records, parent)],
        ),
    ]


def _effects_section(verdict: Verdict, selection: Selection) -> Section:
    swept = list(selection.swept)
    if not swept or len(verdict.rows) < 3:
        return Section("factors", "What moved the score", ["Too little was swept to tell."])
    params = [row.cell.params for row in verdict.rows]
    values = [row.value for row in verdict.rows]
    effects = main_effects(params, values, swept, verdict.rules.level)
    found = [one for one in interactions(params, values, swept) if np.isfinite(one.p)]
    found = found[:_MOST_INTERACTIONS]
    notes = [
        "Each effect is what is left when the other parameters' effects are taken out. Intervals "
        "come from what the sum of effects leaves unexplained; there are none without such a rest."
    ]
    tables = []
    if len(swept) > 1 and not found:
        notes.append(
            "Whether parameters act together cannot be told: every combination of two of them is a "
            "single configuration, or they never vary together."
        )
    if found:
        strongest = found[0]
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
        rows: list[list[Value]] = [[one.first, one.second, one.explained, one.p] for one in found]
        tables.append(Table("interactions", "Interactions", columns, rows))
    figure = effects_figure(effects, verdict.rules.score)
    return Section("factors", "What moved the score", notes, [figure], tables)


def _leaderboard_notes(verdict: Verdict) -> list[str]:
    level = whole_percent(verdict.rules.level)
    return [
        f"Best on validation first; the score is {SCORE_WORDS[verdict.rules.score]}. Intervals "
        f"({level}) cover other images and, with several seeds, other seeds. Differences are on "
        "the same images and seeds. Test figures of configurations that were not recommended are "
        "shown for completeness and were not used for choosing."
    ]


def _method_notes(verdict: Verdict) -> list[str]:
    rules = verdict.rules
    return [
        "Runs that differ in nothing but the seed form one configuration. It is scored on the "
        "validation images of each of its seeds; groups of images (photos of one leaf) count as "
        "one observation. The variance of a mean is what the groups contribute, plus what seeds "
        "add beyond that; what seeds add is estimated together with the other configurations, as "
        "far as these agree. Intervals are t intervals (Wilson's, with an effective sample size, "
        "for single configurations).",
        f"Differences from the top are tested on the same images and seeds, and corrected by Holm "
        f"for all {verdict.family_size:,} pairs, as the top was found by looking at the same "
        f"figures. Differences whose interval lies within {100 * rules.equivalence:g} points do "
        "not matter. Of all configurations that are not worse, the one that trains fastest is "
        "recommended (of those within 10 %, the best).",
    ]


def _cost_notes() -> list[str]:
    return ["Training times hold for the machine and for what ran beside it."]


def _unknown_costs(figures: Sequence[Any]) -> str:
    known = {figure.id for figure in figures}
    missing = [
        words
        for name, words in (
            ("cost-train-time", "training time"),
            ("cost-parameters", "trained parameters"),
            ("cost-latency", "latency"),
        )
        if name not in known
    ]
    return f"Not recorded with these runs: {', '.join(missing)}." if missing else ""


def _summary(
    verdict: Verdict | None, words: Conclusion, look: HeldOutResult, selection: Selection
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "headline": words.headline,
        "text": dict(words.paragraphs),
        "left_out": [
            {"run_id": left.run.run_id, "what": left.kind, "reason": left.reason}
            for left in selection.left
        ],
    }
    if verdict is None:
        return found
    take = verdict.recommended
    return found | {
        "score": verdict.rules.score,
        "recommended": {
            "name": take.cell.name,
            "params": dict(take.cell.params),
            "run_ids": {seed: run.run_id for seed, run in take.cell.runs.items()},
            "val": take.value,
            "test": look.value if look.value == look.value else None,
        },
        "top": verdict.top.cell.name,
        "candidates": [row.cell.name for row in verdict.candidates],
        "worse": [row.cell.name for row in verdict.rows if row.standing == "worse"],
        "not_tested": [row.cell.name for row in verdict.rows if row.standing == "not tested"],
    }


def _only(note: str) -> list[str]:
    return [note] if note else []
