"""Advice as text for a terminal."""

import shlex
from collections.abc import Iterator

from frostline.advice.advice import Advice
from frostline.advice.choose import choice_lines
from frostline.advice.prior import CONSTANT, Prior, recorded_prior
from frostline.advice.ranking import BASELINE, PUBLISHED
from frostline.invocation import as_called

MAX_CLASSES = 8
MAX_FINDINGS = 4
MEASURE_LABELS = {
    "probe": "a linear probe on the frozen features",
    "knn": "nearest neighbours on the frozen features",
    "logme": "LogME on the frozen features",
    BASELINE: "the rule that the less is frozen the better",
}


def advice_lines(advice: Advice) -> Iterator[str]:
    """Yield the advice line by line."""
    yield from _data_lines(advice)
    if advice.why_no_strategy:
        yield ""
        yield f"NO STRATEGY CAN BE CHOSEN: {advice.why_no_strategy}"
    for choice in advice.choices:
        yield ""
        yield f"Measured with {choice.measured.backbone}, at {choice.measured.image_size_px} px"
        yield from choice_lines(choice)
    if advice.at_size:
        yield from _score_lines(advice)
    if advice.strategy:
        yield ""
        yield f"Try first: strategy={advice.strategy}"
        yield f"  because: {advice.reason}"
        yield f"  source:  {advice.source}"
        for objection in advice.objections:
            yield f"  but:     {objection}"
    if advice.backbones:
        yield from _hint_lines(advice)
    yield ""
    yield "Then let a sweep decide:"
    yield f"  {advice.command}"


def _data_lines(advice: Advice) -> Iterator[str]:
    counts = sorted(advice.classes.items(), key=lambda pair: -pair[1])
    shown = ", ".join(f"{name} {count}" for name, count in counts[:MAX_CLASSES])
    more = f" and {len(counts) - MAX_CLASSES} more" if len(counts) > MAX_CLASSES else ""
    total = sum(advice.classes.values())
    yield f"{advice.data}: {total:,} images, {len(counts)} classes: {shown}{more}"
    if advice.drawn:
        yield "  These images are drawings by Frostline itself."
    for finding in advice.findings[:MAX_FINDINGS]:
        yield f"  {finding.level}: {finding.title}: {finding.text}"
    if len(advice.findings) > MAX_FINDINGS:
        more = as_called(f"python -m src.data {shlex.quote(advice.path)}")
        yield f"  and {len(advice.findings) - MAX_FINDINGS} more: {more}"


def _score_lines(advice: Advice) -> Iterator[str]:
    for measured in advice.at_size:
        yield ""
        yield (
            f"Frozen features of {measured.backbone} by depth at {measured.image_size_px} px "
            "(macro accuracy in %, on held-out training images)"
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


def _hint_lines(advice: Advice) -> Iterator[str]:
    yield ""
    yield "Hints, not verdicts:"
    size_px = {one.backbone: one.image_size_px for one in advice.at_size}
    for rank, ranked in enumerate(advice.backbones, start=1):
        tie = "  (a tie with the first)" if ranked.tied and rank > 1 else ""
        where = f"{ranked.backbone} at {size_px[ranked.backbone]} px"
        yield f"  {rank}. {where}: kNN {100 * ranked.knn:.1f}{tie}"
    if len(advice.backbones) == 1:
        yield "  one backbone is no ranking: name others, such as backbone=resnet50,vgg16"
    for backbone, depths in advice.depths.items():
        yield f"  depths of {backbone}, best first: freeze={', '.join(depths)}"
    yield f"  depths are ranked by {MEASURE_LABELS[advice.depth_measure]}"
    yield f"  {reliability_sentence(advice)}"
    for sentence in prior_sentences(advice, recorded_prior()):
        yield f"  {sentence}"
    yield f"  {PUBLISHED}"


def reliability_sentence(advice: Advice) -> str:
    """Summarise how well rankings of depths held in our study, in one sentence."""
    if not advice.reliability:
        return "how well such rankings of depths hold has not been measured yet"
    parts = [
        f"{one.measure.replace('_', ' ')} {one.tau:+.2f} ({one.low:+.2f} to {one.high:+.2f})"
        for one in advice.reliability
    ]
    return (
        "rank correlation with the accuracy after training, in experiments/quadrants.md "
        f"({advice.reliability[0].cells} rankings): {'; '.join(parts)}"
    )


def prior_sentences(advice: Advice, prior: Prior | None) -> Iterator[str]:
    """What recorded sweeps of other data sets say of the depth to try first, or why nothing.

    Args:
        advice: With what the prior expects, where it is used.
        prior: As recorded; None before it was measured.
    """
    if prior is None:
        return
    where = f"{len(prior.cases)} recorded sweeps over depths of {prior.sets} other data sets"
    if prior.used == CONSTANT:
        yield (
            f"{where} are not used: no rule by size and frozen features was surely better than one "
            "depth for all data (docs/corpus.md)"
        )
    for backbone, regrets in advice.prior.items():
        costs = ", ".join(f"{depth} ({cost:+.1f})" for depth, cost in regrets.items())
        yield (
            f"depths of {backbone} by {where}, with the points of test F1 that each is expected to "
            f"cost: freeze={costs}; this was {prior.of(prior.used).gain:.1f} points better than "
            "one depth for all data, with each data set left out in turn (docs/corpus.md)"
        )
