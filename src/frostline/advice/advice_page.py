"""Advice as one HTML page that needs nothing but itself, with the curves of score by depth."""

import time
from collections.abc import Sequence

from frostline.advice.advice import Advice
from frostline.advice.advice_text import MEASURE_WORDS, reliability_words
from frostline.advice.measures.measurement import StageScore
from frostline.advice.quadrants import BORDER, LARGE_IMAGES, LARGE_PER_CLASS
from frostline.advice.ranking import PUBLISHED
from frostline.advice.references import references_for
from frostline.reporting.figure import MOST_SERIES, Figure, Series
from frostline.reporting.page import Conclusion, Page, Section
from frostline.reporting.render import render_page
from frostline.reporting.tables import Column, Table, Value

ACCURACIES = (
    ("probe", Column("linear probe %", "percent")),
    ("knn", Column("kNN %", "percent")),
    ("half_width", Column("+- points", "percent")),
)
KIND_WORDS = {
    "similar": "photographs of what ImageNet has",
    "between": "the same photographs, altered",
    "different": "drawings",
}


def advice_page(advice: Advice) -> str:
    """The page as HTML text."""
    sections = [_data_section(advice)]
    if advice.at_size:
        sections = [
            Section(
                "depth",
                "Scores by depth",
                [
                    "How well the frozen features behind each stage tell the classes apart, judged "
                    "on training images held out, whole groups at a time. The image itself, "
                    "shrunk to 8 x 8 pixels, is stage 0. Validation and test images were not "
                    "looked at."
                ],
                [_accuracy_figure(advice), _logme_figure(advice)],
            ),
            *_similarity_sections(advice),
            _hint_section(advice),
            *sections,
        ]
    made = time.strftime("%d %B %Y, %H:%M") + ", by python -m src.advise"
    page = Page(f"Advice on {advice.data}", made, _words(advice), sections, advice.drawn)
    return render_page(page)


def _words(advice: Advice) -> Conclusion:
    paragraphs = []
    if advice.strategy is None:
        headline = "From these images it cannot be told which strategy fits"
        paragraphs.append(("Why", advice.cannot_tell))
    else:
        headline = f"Try strategy={advice.strategy} first, and let a sweep decide"
        paragraphs += [
            ("Why", f"{advice.reason[:1].upper()}{advice.reason[1:]}.\nSource: {advice.source}."),
            ("What speaks against it", "\n".join(advice.objections)),
        ]
        quadrant = advice.choices[0].quadrant
        assert quadrant is not None
        doubts = [*quadrant.doubts, *filter(None, [advice.choices[0].caveat])]
        if doubts:
            paragraphs.append(("How sure this is", "\n".join(f"Doubt: {one}." for one in doubts)))
    if advice.drawn:
        paragraphs.append(("About the images", "They are drawings by Frostline itself."))
    paragraphs.append(("Run next", advice.command))
    return Conclusion(headline, paragraphs)


def _label(score: StageScore) -> str:
    return "image" if score.stage == 0 else str(score.stage)


def _depths(advice: Advice) -> list[str]:
    longest = max(advice.at_size, key=lambda measured: len(measured.stages))
    return [_label(score) for score in longest.stages]


def _table(advice: Advice, name: str, measures: Sequence[tuple[str, Column]]) -> Table:
    rows: list[list[Value]] = [
        [one.backbone, _label(score), *(getattr(score, measure) for measure, _ in measures)]
        for one in advice.at_size
        for score in one.stages
    ]
    columns = [Column("backbone"), Column("behind stage"), *(column for _, column in measures)]
    return Table(f"{name}-by-depth", "The numbers", columns, rows, folded=True)


def _accuracy_figure(advice: Advice) -> Figure:
    series = []
    for number, one in enumerate(advice.at_size[: MOST_SERIES // 2]):
        for place, (name, word) in enumerate((("probe", "linear probe"), ("knn", "kNN"))):
            values = [100 * float(getattr(score, name)) for score in one.stages]
            width = [100 * score.half_width for score in one.stages]
            series.append(
                Series(
                    f"{one.backbone}: {word}",
                    [_label(score) for score in one.stages],
                    values,
                    low=[max(0.0, v - w) for v, w in zip(values, width, strict=True)],
                    high=[min(100.0, v + w) for v, w in zip(values, width, strict=True)],
                    colour=2 * number + place,
                    dashed=bool(place),
                )
            )
    chance = 100 / advice.size.classes
    return Figure(
        "accuracy",
        "Accuracy of frozen features by depth",
        "Macro accuracy of a linear probe and of nearest neighbours on the frozen features behind "
        f"each stage, with 95 % intervals; guessing gives {chance:.0f} %.",
        "behind stage",
        "macro accuracy, %",
        _table(advice, "accuracy", ACCURACIES),
        series,
        categories=_depths(advice),
        dodged=True,
    )


def _logme_figure(advice: Advice) -> Figure:
    series = [
        Series(
            one.backbone,
            [_label(score) for score in one.stages],
            [score.logme for score in one.stages],
            colour=number,
        )
        for number, one in enumerate(advice.at_size[:MOST_SERIES])
    ]
    return Figure(
        "logme",
        "LogME by depth",
        "Largest log evidence of a Bayesian linear model of the classes given the frozen features "
        "behind each stage, in nats an image; higher is better (You et al. 2021).",
        "behind stage",
        "LogME, nats an image",
        _table(advice, "logme", [("logme", Column("LogME", "number"))]),
        series,
        categories=_depths(advice),
    )


def _similarity_sections(advice: Advice) -> list[Section]:
    found = [choice for choice in advice.choices if choice.measured.familiarity is not None]
    if not found:
        why = advice.choices[0].measured.why_not
        note = f"Similarity to the pretraining has no meaning here: {why}."
        return [Section("similarity", "Similarity to the pretraining", [note])]
    choice = found[0]
    known, quadrant = choice.measured.familiarity, choice.quadrant
    assert known is not None
    references, caveat = references_for(choice.measured.backbone, choice.measured.weights_digest)
    series = [
        Series(
            word,
            [one.confidence for one in references if one.kind == kind],
            [one.agreement for one in references if one.kind == kind],
            labels=[one.name for one in references if one.kind == kind],
            style="points",
            colour=colour,
        )
        for colour, (kind, word) in enumerate(KIND_WORDS.items(), start=1)
    ]
    series.append(
        Series(
            advice.data,
            [known.confidence],
            [known.agreement],
            labels=[advice.data],
            style="points",
            colour=0,
            ringed=frozenset({0}),
        )
    )
    rows: list[list[Value]] = [
        [advice.data, "this data", known.confidence, known.entropy, known.agreement]
    ]
    rows += [
        [one.name, KIND_WORDS[one.kind], one.confidence, one.entropy, one.agreement]
        for one in references
    ]
    columns = [
        Column("data set"),
        Column("what it is"),
        Column("top-1 confidence", "number"),
        Column("entropy (of 1)", "number"),
        Column("prototype agreement", "number"),
    ]
    figure = Figure(
        "similarity",
        "How well the pretrained classifier knows these images",
        f"Mean top-1 confidence of {choice.measured.backbone} and mean agreement of its features "
        "with the closest class prototype: this data among reference sets that were measured in "
        "the same way.",
        "mean top-1 confidence",
        "mean agreement with the closest class prototype",
        Table("references", "Reference points", columns, rows, marked=frozenset({0}), folded=True),
        series,
    )
    notes = []
    if quadrant is not None:
        notes.append(
            f"On an axis from drawings (0) to photographs (1) this data stands at "
            f"{quadrant.similarity.position:.2f} +- {2 * quadrant.similarity.error:.2f}; similar "
            f"begins at {BORDER:g}. Size: {advice.size.images:,} training images, "
            f"{advice.size.per_class:,.0f} a class; many begins at {LARGE_PER_CLASS:,.0f} a class "
            f"(a rule of thumb; BiT's border is {LARGE_IMAGES:,} images in all)."
        )
    notes += [f"Note: {caveat}."] if caveat else []
    return [Section("similarity-section", "Similarity to the pretraining", notes, [figure])]


def _hint_section(advice: Advice) -> Section:
    backbones = Table(
        "backbones",
        "Backbones, by nearest neighbours on their last features",
        [
            Column("backbone"),
            Column("kNN %", "percent"),
            Column("+- points", "percent"),
            Column(""),
        ],
        [
            [
                one.backbone,
                one.knn,
                one.half_width,
                "tie with the first" if one.tied and place else "",
            ]
            for place, one in enumerate(advice.backbones)
        ],
    )
    depths = Table(
        "depths",
        f"Depths, by {MEASURE_WORDS[advice.depth_measure]}",
        [Column("backbone"), Column("freeze, the most promising first")],
        [[backbone, ", ".join(values)] for backbone, values in advice.depths.items()],
    )
    words = reliability_words(advice)
    notes = [f"{words[:1].upper()}{words[1:]}.", f"{PUBLISHED[:1].upper()}{PUBLISHED[1:]}."]
    return Section("hints", "Hints, not verdicts", notes, (), [backbones, depths])


def _data_section(advice: Advice) -> Section:
    classes = Table(
        "classes",
        "Images of each class",
        [Column("class"), Column("images", "count")],
        [[name, count] for name, count in advice.classes.items()],
        folded=True,
    )
    notes = [f"{one.level}: {one.title}. {one.text}" for one in advice.findings]
    total = sum(advice.classes.values())
    notes.insert(0, f"{total:,} images, {len(advice.classes)} classes.")
    return Section("data", "The data", notes, (), [classes])
