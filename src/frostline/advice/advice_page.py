"""Advice as one self-contained HTML page, with the curves of score by depth."""

import time

from frostline.advice.advice import Advice
from frostline.advice.advice_figures import (
    accuracy_figure,
    image_sizes,
    logme_figure,
    similarity_figure,
)
from frostline.advice.advice_text import MEASURE_LABELS, prior_sentences, reliability_sentence
from frostline.advice.choose import distances
from frostline.advice.prior import recorded_prior
from frostline.advice.quadrants import BORDER, LARGE_IMAGES, LARGE_PER_CLASS
from frostline.advice.ranking import PUBLISHED
from frostline.advice.similarity import references_for
from frostline.invocation import as_called
from frostline.reporting.page import Conclusion, Page, Section
from frostline.reporting.render import render_page
from frostline.reporting.tables import Column, Table


def advice_page(advice: Advice) -> str:
    """Render the page as HTML text."""
    sections = [_data_section(advice)]
    if advice.at_size:
        sections = [
            _depth_section(advice),
            _similarity_section(advice),
            _hint_section(advice),
            *sections,
        ]
    made = time.strftime("%d %B %Y, %H:%M") + as_called(", by python -m src.advise")
    page = Page(f"Advice on {advice.data}", made, _conclusion(advice), sections, advice.drawn)
    return render_page(page)


def _conclusion(advice: Advice) -> Conclusion:
    paragraphs = []
    if advice.strategy is None:
        headline = "No strategy can be chosen from these images"
        paragraphs.append(("Why", _sentence(advice.why_no_strategy)))
    else:
        headline = f"Try strategy={advice.strategy} first, and let a sweep decide"
        paragraphs += [
            ("Why", f"{_sentence(advice.reason)}\nSource: {advice.source}."),
            ("Objections", "\n".join(advice.objections)),
        ]
        quadrant = advice.choices[0].quadrant
        assert quadrant is not None
        doubts = [*quadrant.doubts, *filter(None, [advice.choices[0].caveat])]
        if doubts:
            paragraphs.append(("How sure is this", "\n".join(_sentence(one) for one in doubts)))
    if advice.drawn:
        paragraphs.append(("About the images", "They are drawings by Frostline itself."))
    paragraphs.append(("Run next", advice.command))
    return Conclusion(headline, paragraphs)


def _depth_section(advice: Advice) -> Section:
    note = (
        "How well the frozen features of each stage separate the classes, measured on training "
        f"images of {image_sizes(advice)} that are held out by group. Stage 0 is the image itself, "
        "shrunk to 8 x 8 pixels. Validation and test images are not used."
    )
    figures = [accuracy_figure(advice), logme_figure(advice)]
    return Section("depth", "Scores by depth", [note], figures)


def _similarity_section(advice: Advice) -> Section:
    choice = next((one for one in advice.choices if one.measured.familiarity is not None), None)
    if choice is None:
        why = advice.choices[0].measured.why_not
        note = f"Similarity to the pretraining has no meaning here: {why}."
        return Section("similarity", "Similarity to the pretraining", [note])
    measured, quadrant = choice.measured, choice.quadrant
    assert measured.familiarity is not None
    references, caveat = references_for(measured.backbone, measured.weights_digest)
    notes = []
    if quadrant is not None:
        notes.append(
            f"On an axis from drawings (0) to photographs (1) this data is at "
            f"{quadrant.similarity.position:.2f} +- {2 * quadrant.similarity.error:.2f}; similar "
            f"begins at {BORDER:g}. Size: {advice.size.images:,} training images, "
            f"{advice.size.per_class:,.0f} a class; large begins at {LARGE_PER_CLASS:,.0f} a class "
            f"(a rule of thumb; BiT's border is {LARGE_IMAGES:,} images in all). That is: "
            f"{distances(quadrant)}. Measured with {measured.backbone} at "
            f"{measured.image_size_px} px."
        )
    if caveat:
        notes.append(f"Note: {caveat}.")
    figure = similarity_figure(advice.data, measured.backbone, measured.familiarity, references)
    return Section("similarity-section", "Similarity to the pretraining", notes, [figure])


def _hint_section(advice: Advice) -> Section:
    size_px = {one.backbone: one.image_size_px for one in advice.at_size}
    backbones = Table(
        "backbones",
        "Backbones, by nearest neighbours on their last features",
        [
            Column("backbone"),
            Column("image size, px", "count"),
            Column("kNN %", "percent"),
            Column("+- points", "percent"),
            Column("remark"),
        ],
        [
            [
                one.backbone,
                size_px[one.backbone],
                one.knn,
                one.half_width,
                "tie with the first" if one.tied and rank else "",
            ]
            for rank, one in enumerate(advice.backbones)
        ],
    )
    depths = Table(
        "depths",
        f"Depths, by {MEASURE_LABELS[advice.depth_measure]}",
        [Column("backbone"), Column("freeze, the most promising first")],
        [[backbone, ", ".join(values)] for backbone, values in advice.depths.items()],
    )
    said = [reliability_sentence(advice), *prior_sentences(advice, recorded_prior()), PUBLISHED]
    notes = [_sentence(each) for each in said]
    return Section("hints", "Hints, not verdicts", notes, (), [backbones, depths])


def _data_section(advice: Advice) -> Section:
    classes = Table(
        "classes",
        "Images of each class",
        [Column("class"), Column("images", "count")],
        [[name, count] for name, count in advice.classes.items()],
        folded=True,
    )
    total = sum(advice.classes.values())
    notes = [
        f"{total:,} images, {len(advice.classes)} classes.",
        *(f"{one.level}: {one.title}. {one.text}" for one in advice.findings),
    ]
    return Section("data", "The data", notes, (), [classes])


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
