"""The quick answer as one self-contained HTML page."""

import time

from frostline.advice.quick.answer import QuickAnswer
from frostline.advice.quick.costs import rounded_minutes
from frostline.advice.quick.looks import ALL, LEVEL
from frostline.advice.quick.quick_rows import proposed
from frostline.advice.quick.quick_text import head_lines, notes
from frostline.invocation import as_called
from frostline.reporting.page import MAX_SERIES, Conclusion, Figure, Page, Section, Series
from frostline.reporting.render import render_page
from frostline.reporting.tables import Column, Table


def quick_page(answer: QuickAnswer) -> str:
    """Render the page as HTML text."""
    made = time.strftime("%d %B %Y, %H:%M") + as_called(", by python -m src.advise --quick")
    sections = []
    if answer.rows:
        table = _table(answer)
        sections.append(
            Section(
                "looks", "What was looked at", list(head_lines(answer)), [_figure(answer, table)]
            )
        )
    if answer.skipped:
        sections.append(_skipped(answer))
    return render_page(
        Page(f"A quick look at {answer.data}", made, _conclusion(answer), sections, answer.drawn)
    )


def _conclusion(answer: QuickAnswer) -> Conclusion:
    if answer.why_not:
        return Conclusion(
            "Nothing can be said of these images", [("Why", f"{answer.why_not.capitalize()}.")]
        )
    first, *others = notes(answer)
    paragraphs = [("How sure is this", "\n".join(others))]
    if answer.drawn:
        paragraphs.append(("About the images", "They are drawings by Frostline itself."))
    paragraphs.append(
        (f"The full question, about {rounded_minutes(answer.command_s)}", answer.command)
    )
    if answer.close_command:
        paragraphs.append(
            (f"What is not behind, about {rounded_minutes(answer.close_s)}", answer.close_command)
        )
    return Conclusion(first.removesuffix("."), paragraphs)


def _figure(answer: QuickAnswer, table: Table) -> Figure:
    """Score by depth, one colour a backbone."""
    series = []
    depths = sorted({row.freeze for row in answer.rows}, key=lambda each: (each == ALL, each))
    for colour, name in enumerate(dict.fromkeys(row.backbone for row in answer.rows)):
        if colour == MAX_SERIES:
            break
        own = sorted(
            (row for row in answer.rows if row.backbone == name),
            key=lambda row: depths.index(row.freeze),
        )
        series.append(
            Series(
                name,
                [row.freeze for row in own],
                [100 * row.score for row in own],
                low=[100 * row.low for row in own],
                high=[100 * row.high for row in own],
                labels=[f"{row.how}, {row.size_px} px" for row in own],
                style="points",
                colour=colour,
            )
        )
    return Figure(
        "depths",
        "Validation F1 by depth",
        f"Macro F1 on {answer.n_val:,} validation images with {LEVEL:.0%} intervals; each depth at "
        "a rate of its own, heads solved. The differences between rows are surer than the "
        "intervals look, since all of them are judged on the same images.",
        "freeze",
        "macro F1, %",
        table,
        series,
        categories=depths,
        dodged=True,
    )


def _table(answer: QuickAnswer) -> Table:
    return Table(
        "quick",
        "Cells, best first",
        [
            Column("backbone"),
            Column("freeze"),
            Column("val F1 %", "percent"),
            Column("low %", "percent"),
            Column("high %", "percent"),
            Column("over all, points", "points"),
            Column("against the first"),
            Column("looked at, px"),
            Column("score is"),
            Column("how"),
        ],
        [
            [
                row.backbone,
                row.freeze,
                row.score,
                row.low,
                row.high,
                row.gain,
                "" if number == 0 else "behind" if row.is_behind else "cannot be distinguished",
                row.size_px,
                "projected" if row.projected else "measured",
                row.how,
            ]
            for number, row in enumerate(answer.rows)
        ],
        marked=frozenset({answer.rows.index(proposed(answer.rows))}),
    )


def _skipped(answer: QuickAnswer) -> Section:
    table = Table(
        "skipped",
        "Not looked at",
        [Column("backbone"), Column("freeze"), Column("why"), Column("would take", "seconds")],
        [[one.backbone, one.freeze, one.why, one.needs_s] for one in answer.skipped],
        folded=True,
    )
    note = f"{len(answer.skipped)} cells were not looked at; nothing is said of them."
    return Section("skipped-section", "Not looked at", [note], (), [table])
