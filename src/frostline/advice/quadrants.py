"""The pure rules: where a data set stands on the two axes, and which strategy that stands for.

Both axes are continuous; the quadrant's name is the last and the least of what they say.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import log, log10
from typing import Any

# A rule of thumb that texts repeat without a study behind it; see docs/strategies.md.
LARGE_PER_CLASS = 1000.0
# BiT-HyperRule calls data sets below this small.
# Source: Kolesnikov et al. 2020, "Big Transfer", section 3.3 (arXiv:1912.11370).
LARGE_IMAGES = 20_000
# With fewer images, a share such as an accuracy is known to no better than 15 points (Wilson's
# interval at one half), and a quadrant would be a guess.
FEWEST_IMAGES = 40
BORDER = 0.5
STRATEGIES = {
    ("large", "similar"): "large_similar",
    ("large", "different"): "large_different",
    ("small", "similar"): "small_similar",
    ("small", "different"): "small_different",
}


@dataclass(frozen=True)
class Reference:
    """A data set that was measured with the same backbone, and what it stands for.

    Attributes:
        name: The data set.
        kind: `similar`: photographs of things that ImageNet has; `different`: drawings;
            `between`: neither end of the axis is fixed by it.
        confidence: Mean top-1 probability of the pretrained classifier.
        agreement: Mean largest cosine between features and class prototypes.
        entropy: Mean entropy over its largest possible value.
        images: How many were measured.
    """

    name: str
    kind: str
    confidence: float
    agreement: float
    entropy: float
    images: int


@dataclass(frozen=True)
class Similarity:
    """The similarity axis.

    Attributes:
        position: Mean of the two below: 0 where the different references are on average, 1 where
            the similar ones are; values outside of 0 .. 1 are possible.
        by_confidence: Place of the log odds of the mean top-1 confidence.
        by_agreement: Place of the mean agreement with class prototypes.
        error: Standard error of the position, from the images' spread alone.
    """

    position: float
    by_confidence: float
    by_agreement: float
    error: float


@dataclass(frozen=True)
class Quadrant:
    """Where a data set stands.

    Attributes:
        name: The strategy.
        large: Whether the images are called many.
        similar: Whether they are called similar to those of the pretraining.
        size_distance: log10 of images a class over the border; below 0 is small, 1 is ten times.
        similarity_distance: Position on the similarity axis less the border; below 0 is different.
        similarity: The similarity axis.
        doubts: What speaks against the label, in sentences; empty if nothing does.
    """

    name: str
    large: bool
    similar: bool
    size_distance: float
    similarity_distance: float
    similarity: Similarity
    doubts: tuple[str, ...]

    def plain(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        return asdict(self)


def log_odds(share: float) -> float:
    """The log odds of a share, cut off at one in a million.

    Source: Berkson 1944.
    """
    kept = min(max(share, 1e-6), 1 - 1e-6)
    return log(kept / (1 - kept))


def between(value: float, low: float, high: float) -> float:
    """Where a value stands between two others: 0 at `low`, 1 at `high`.

    Raises:
        ValueError: If the two are the same.
    """
    if high == low:
        raise ValueError("both ends of the axis are the same")
    return (value - low) / (high - low)


def similarity_of(
    confidence: float,
    confidence_error: float,
    agreement: float,
    agreement_error: float,
    references: Sequence[Reference],
) -> Similarity:
    """Place a data set between the references that are different and those that are similar.

    Args:
        confidence: Mean top-1 probability.
        confidence_error: Its standard error.
        agreement: Mean agreement with class prototypes.
        agreement_error: Its standard error.
        references: At least one of kind `similar` and one `different`.

    Raises:
        ValueError: If a kind is missing.

    Source: confidence as a sign of unfamiliar images: Hendrycks and Gimpel 2017
    (arXiv:1610.02136); weight rows as prototypes: Qi et al. 2018 (arXiv:1712.07136). The scale
    between measured references is ours.
    """
    ends: dict[str, tuple[float, float]] = {}
    for kind in ("different", "similar"):
        own = [reference for reference in references if reference.kind == kind]
        if not own:
            raise ValueError(f"no reference of kind {kind}")
        ends[kind] = (
            sum(log_odds(one.confidence) for one in own) / len(own),
            sum(one.agreement for one in own) / len(own),
        )
    low, high = ends["different"], ends["similar"]
    first = between(log_odds(confidence), low[0], high[0])
    second = between(agreement, low[1], high[1])
    # The slope of the log odds is 1 / (p (1 - p)).
    slope = 1 / max(confidence * (1 - confidence), 1e-6)
    errors = (
        confidence_error * slope / (high[0] - low[0]),
        agreement_error / (high[1] - low[1]),
    )
    # Both come from the same images: their errors are added, not averaged away.
    return Similarity((first + second) / 2, first, second, sum(map(abs, errors)) / 2)


def place(images: int, classes: int, similarity: Similarity) -> Quadrant:
    """Name the quadrant, with the distances from its borders and what speaks against the name.

    Args:
        images: Training images.
        classes: Number of classes.
        similarity: The similarity axis.

    Source: the four strategies are the table of the CS231n notes ("Transfer Learning"); the border
    of 1,000 images a class is a rule of thumb, that of 20,000 images is BiT's.
    """
    per_class = images / classes
    large, similar = per_class >= LARGE_PER_CLASS, similarity.position >= BORDER
    size = "large" if large else "small"
    doubts = []
    if large != (images >= LARGE_IMAGES):
        other = "small" if large else "large"
        doubts.append(
            f"{images:,} images in all are {other} by the border of {LARGE_IMAGES:,}, and "
            f"{per_class:,.0f} a class are {size} by that of {LARGE_PER_CLASS:,.0f}"
        )
    distance = similarity.position - BORDER
    if (similarity.by_confidence >= BORDER) != (similarity.by_agreement >= BORDER):
        doubts.append(
            "confidence and prototypes disagree: "
            f"{similarity.by_confidence:.2f} and {similarity.by_agreement:.2f} on the axis from "
            "different (0) to similar (1)"
        )
    if abs(distance) < 2 * similarity.error:
        doubts.append("similarity is within two standard errors of the border")
    return Quadrant(
        name=STRATEGIES[size, "similar" if similar else "different"],
        large=large,
        similar=similar,
        size_distance=log10(per_class / LARGE_PER_CLASS),
        similarity_distance=distance,
        similarity=similarity,
        doubts=tuple(doubts),
    )


def too_few(images: int) -> str:
    """Why nothing can be told from so few images; empty if something can."""
    if images >= FEWEST_IMAGES:
        return ""
    return (
        f"{images} training images: every share measured on them is known to no better than 15 "
        f"points, so that a quadrant would be a guess"
    )
