"""Figures of the advice page: scores by depth, and the data among the reference points."""

from collections.abc import Sequence

from frostline.advice.advice import Advice
from frostline.advice.measures.familiarity import Familiarity
from frostline.advice.measures.measurement import StageScore
from frostline.advice.similarity import Reference
from frostline.reporting.page import MAX_SERIES, Figure, Series
from frostline.reporting.tables import Column, Table, Value

ACCURACIES = (
    ("probe", Column("linear probe %", "percent")),
    ("knn", Column("kNN %", "percent")),
    ("half_width", Column("+- points", "percent")),
)
KIND_LABELS = {
    "similar": "photographs of what ImageNet has",
    "between": "the same photographs, altered",
    "different": "drawings",
}


def accuracy_figure(advice: Advice) -> Figure:
    """Macro accuracy of probe and nearest neighbours by depth, one pair of lines a backbone."""
    series = []
    for number, one in enumerate(advice.at_size[: MAX_SERIES // 2]):
        for offset, (name, label) in enumerate((("probe", "linear probe"), ("knn", "kNN"))):
            values = [100 * float(getattr(score, name)) for score in one.stages]
            width = [100 * score.half_width for score in one.stages]
            series.append(
                Series(
                    f"{one.backbone}, {one.image_size_px} px: {label}",
                    [_label(score) for score in one.stages],
                    values,
                    low=[max(0.0, v - w) for v, w in zip(values, width, strict=True)],
                    high=[min(100.0, v + w) for v, w in zip(values, width, strict=True)],
                    colour=2 * number + offset,
                    dashed=bool(offset),
                )
            )
    chance = 100 / advice.size.classes
    return Figure(
        "accuracy",
        "Accuracy of frozen features by depth",
        "Macro accuracy of a linear probe and of nearest neighbours on the frozen features behind "
        f"each stage, with 95 % intervals, on images of {image_sizes(advice)}; guessing gives "
        f"{chance:.0f} %. Other image sizes give other scores.",
        "behind stage",
        "macro accuracy, %",
        _table(advice, "accuracy", ACCURACIES),
        series,
        categories=_depths(advice),
        dodged=True,
    )


def logme_figure(advice: Advice) -> Figure:
    """LogME by depth, one line a backbone."""
    series = [
        Series(
            f"{one.backbone}, {one.image_size_px} px",
            [_label(score) for score in one.stages],
            [score.logme for score in one.stages],
            colour=number,
        )
        for number, one in enumerate(advice.at_size[:MAX_SERIES])
    ]
    return Figure(
        "logme",
        "LogME by depth",
        "How well a linear model explains the classes by the frozen features behind each stage, "
        "without being trained (You et al. 2021). Higher is better. Compare depths by it, not data "
        "sets: 0.1 more means that each image's label is 1.1 times as likely by the model. On "
        f"images of {image_sizes(advice)}.",
        "behind stage",
        "LogME (higher is better)",
        _table(advice, "logme", [("logme", Column("LogME", "number"))]),
        series,
        categories=_depths(advice),
    )


def similarity_figure(
    data: str, backbone: str, familiarity: Familiarity, references: Sequence[Reference]
) -> Figure:
    """Confidence and prototype agreement of the data among the reference sets."""
    series = [
        Series(
            label,
            [one.confidence for one in references if one.kind == kind],
            [one.agreement for one in references if one.kind == kind],
            labels=[one.name for one in references if one.kind == kind],
            style="points",
            colour=colour,
        )
        for colour, (kind, label) in enumerate(KIND_LABELS.items(), start=1)
    ]
    series.append(
        Series(
            data,
            [familiarity.confidence],
            [familiarity.agreement],
            labels=[data],
            style="points",
            colour=0,
            ringed=frozenset({0}),
        )
    )
    rows: list[list[Value]] = [
        [data, "this data", familiarity.confidence, familiarity.entropy, familiarity.agreement]
    ]
    rows += [
        [one.name, KIND_LABELS[one.kind], one.confidence, one.entropy, one.agreement]
        for one in references
    ]
    columns = [
        Column("data set"),
        Column("kind"),
        Column("top-1 confidence", "number"),
        Column("entropy (of 1)", "number"),
        Column("prototype agreement", "number"),
    ]
    return Figure(
        "similarity",
        "How well the pretrained classifier knows these images",
        f"Mean top-1 confidence of {backbone} and mean agreement of its features "
        "with the closest class prototype: this data among reference sets that were measured in "
        "the same way.",
        "top-1 confidence",
        "prototype agreement",
        Table("references", "Reference points", columns, rows, marked=frozenset({0}), folded=True),
        series,
    )


def image_sizes(advice: Advice) -> str:
    """The image size of the scores, for each backbone where they differ: `224 px`."""
    sizes = {one.backbone: one.image_size_px for one in advice.at_size}
    if len(set(sizes.values())) == 1:
        return f"{next(iter(sizes.values()))} px"
    return ", ".join(f"{size} px ({backbone})" for backbone, size in sizes.items())


def _label(score: StageScore) -> str:
    return "image" if score.stage == 0 else str(score.stage)


def _depths(advice: Advice) -> list[str]:
    longest = max(advice.at_size, key=lambda measured: len(measured.stages))
    return [_label(score) for score in longest.stages]


def _table(advice: Advice, name: str, measures: Sequence[tuple[str, Column]]) -> Table:
    rows: list[list[Value]] = [
        [
            one.backbone,
            one.image_size_px,
            _label(score),
            *(getattr(score, measure) for measure, _ in measures),
        ]
        for one in advice.at_size
        for score in one.stages
    ]
    columns = [
        Column("backbone"),
        Column("image size, px", "count"),
        Column("behind stage"),
        *(column for _, column in measures),
    ]
    return Table(f"{name}-by-depth", "The numbers", columns, rows, folded=True)
