"""Advice as text for a terminal."""

from collections.abc import Iterator

from frostline.advice.advice import Advice
from frostline.advice.choose import choice_lines
from frostline.advice.ranking import BASELINE, PUBLISHED

MOST_CLASSES = 8
MOST_FINDINGS = 4
MEASURE_WORDS = {
    "probe": "a linear probe on the frozen features",
    "knn": "nearest neighbours on the frozen features",
    "logme": "LogME on the frozen features",
    BASELINE: "the rule that the less is frozen the better",
}


def advice_lines(advice: Advice) -> Iterator[str]:
    """The advice, line by line."""
    yield from _data(advice)
    if advice.cannot_tell:
        yield ""
        yield f"CANNOT TELL: {advice.cannot_tell}"
    for choice in advice.choices:
        yield ""
        yield f"Measured with {choice.measured.backbone}, at {choice.measured.image_size_px} px"
        yield from choice_lines(choice)
    if advice.at_size:
        yield from _scores(advice)
    if advice.strategy:
        yield ""
        yield f"Try first: strategy={advice.strategy}"
        yield f"  because: {advice.reason}"
        yield f"  source:  {advice.source}"
        for objection in advice.objections:
            yield f"  but:     {objection}"
    if advice.backbones:
        yield from _hint(advice)
    yield ""
    yield "Then let a sweep decide:"
    yield f"  {advice.command}"


def _data(advice: Advice) -> Iterator[str]:
    counts = sorted(advice.classes.items(), key=lambda pair: -pair[1])
    shown = ", ".join(f"{name} {count}" for name, count in counts[:MOST_CLASSES])
    more = f" and {len(counts) - MOST_CLASSES} more" if len(counts) > MOST_CLASSES else ""
    total = sum(advice.classes.values())
    yield f"{advice.data}: {total:,} images, {len(counts)} classes: {shown}{more}"
    if advice.drawn:
        yield "  These images are drawings by Frostline itself."
    for finding in advice.findings[:MOST_FINDINGS]:
        yield f"  {finding.level}: {finding.title}: {finding.text}"
    if len(advice.findings) > MOST_FINDINGS:
        yield f"  and {len(advice.findings) - MOST_FINDINGS} more: python -m src.data PATH"


def _scores(advice: Advice) -> Iterator[str]:
    for measured in advice.at_size:
        yield ""
        yield (
            f"Frozen features of {measured.backbone} by depth at {measured.image_size_px} px "
            "(macro accuracy in %, on training images held out)"
        )
        yield "  behind       probe    kNN   LogME"
        for score in measured.stages:
            name = "the image" if score.stage == 0 else f"stage {score.stage}"
            yield (
                f"  {name:<10} {100 * score.probe:6.1f} {100 * score.knn:6.1f} {score.logme:7.3f}"
            )
        last = measured.stages[-1]
        chance = 100 / measured.size.classes
        yield f"  (+- {100 * last.half_width:.0f} points; by chance {chance:.0f})"


def _hint(advice: Advice) -> Iterator[str]:
    yield ""
    yield "Hints, not verdicts:"
    for place, ranked in enumerate(advice.backbones, start=1):
        tie = "  (a tie with the first)" if ranked.tied and place > 1 else ""
        yield f"  {place}. {ranked.backbone}: kNN {100 * ranked.knn:.1f}{tie}"
    for backbone, depths in advice.depths.items():
        yield f"  depths of {backbone}, best first: freeze={', '.join(depths)}"
    yield f"  depths are ranked by {MEASURE_WORDS[advice.depth_measure]}"
    yield f"  {reliability_words(advice)}"
    yield f"  {PUBLISHED}"


def reliability_words(advice: Advice) -> str:
    """How far rankings of depths held in our study, in one sentence."""
    if not advice.reliability:
        return "how far such rankings of depths hold has not been measured yet"
    parts = [
        f"{one.measure.replace('_', ' ')} {one.tau:+.2f} ({one.low:+.2f} to {one.high:+.2f})"
        for one in advice.reliability
    ]
    return (
        "rank correlation with what training gave, in experiments/quadrants.md "
        f"({advice.reliability[0].cells} rankings): {'; '.join(parts)}"
    )
