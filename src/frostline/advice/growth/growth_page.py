"""What more images would bring, as one self-contained HTML page."""

import time

from frostline.advice.growth.grow import DataGrowth
from frostline.advice.growth.growth import LEVEL, Growth
from frostline.advice.growth.growth_figure import growth_figure
from frostline.advice.growth.growth_text import SCOPE, compared_lines, gains_text
from frostline.invocation import as_called
from frostline.reporting.page import Conclusion, Page, Section
from frostline.reporting.render import render_page
from frostline.reporting.tables import Column, Table


def growth_page(found: DataGrowth) -> str:
    """Render the page as HTML text."""
    made = time.strftime("%d %B %Y, %H:%M") + as_called(", by python -m src.advise --more")
    sections = []
    if any(one.measured for one in found.grown):
        sections.append(Section("growth", "Score and images", [], [growth_figure(found.grown)]))
    if any(one.classes for one in found.grown):
        sections.append(_classes_section(found))
    title = f"What more images of {found.data} would bring"
    return render_page(Page(title, made, _conclusion(found), sections, found.drawn))


def _conclusion(found: DataGrowth) -> Conclusion:
    projected = [one for one in found.grown if one.projections]
    silent = [one for one in found.grown if one.why_not]
    doubts = [
        f"{one.backbone}: nothing can be said, since {one.why_not}." for one in silent if projected
    ]
    if not projected:
        reasons = dict.fromkeys(one.why_not for one in silent)
        headline = "Nothing can be said of more images"
        paragraphs = [("Why", "\n".join(f"{each[:1].upper()}{each[1:]}." for each in reasons))]
    else:
        # With most images: that is what the question is about.
        first = max(projected, key=lambda one: one.projections[-1].score)
        now, *later = first.projections
        headline = (
            f"{first.backbone}: {now.score:.0%} with the {now.images:,} training images there are, "
            + ", ".join(
                f"{one.score:.0%} ({one.low:.0%} .. {one.high:.0%}) with {one.factor}x"
                for one in later
            )
        )
        paragraphs = [
            ("Classes", "\n".join(_gains(one, alone=len(projected) == 1) for one in projected))
        ]
        if compared := list(compared_lines(projected)):
            paragraphs.append(("Which backbone", "\n".join(f"{each}." for each in compared)))
        doubts.append(
            f"The intervals are for {LEVEL:.0%}, and more images means more of the same kind: new "
            "groups from the same place."
        )
        paragraphs.append(("How sure is this", "\n".join([*doubts, SCOPE])))
    if found.drawn:
        paragraphs.append(("About the images", "They are drawings by Frostline itself."))
    return Conclusion(headline, paragraphs)


def _gains(growth: Growth, *, alone: bool) -> str:
    text = gains_text(growth)
    return f"{text[:1].upper()}{text[1:]}." if alone else f"{growth.backbone}: {text}."


def _classes_section(found: DataGrowth) -> Section:
    note = (
        "The share of each class that classifiers on all images recognise, and how much more that "
        "is than classifiers on half of the images recognise. A gain whose interval lies above "
        "zero is more than chance."
    )
    table = Table(
        "classes",
        "Classes, those that gained most first",
        [
            Column("backbone"),
            Column("class"),
            Column("recognised %", "percent"),
            Column("gained from the last doubling, points", "points"),
            Column("low", "points"),
            Column("high", "points"),
        ],
        [
            [growth.backbone, one.name, one.recall, one.gain, one.low, one.high]
            for growth in found.grown
            for one in growth.classes
        ],
        folded=True,
    )
    return Section("classes-section", "Which classes gain", [note], (), [table])
