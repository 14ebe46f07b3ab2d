"""The rules by which size and similarity of a data set name a strategy.

Both axes are continuous, so the distances from the borders say more than the quadrant's name.
"""

from dataclasses import asdict, dataclass
from math import log10
from typing import Any

from frostline.advice.similarity import Similarity

# A common rule of thumb without a study behind it; see docs/strategies.md.
LARGE_PER_CLASS = 1000.0
# BiT-HyperRule calls data sets below this small.
# Source: Kolesnikov et al. 2020, "Big Transfer", section 3.3 (arXiv:1912.11370).
LARGE_IMAGES = 20_000
# With fewer images, a share such as an accuracy is known to 15 points at best (Wilson's interval at
# one half), and a quadrant would be a guess.
MIN_IMAGES = 40
BORDER = 0.5
STRATEGIES = {
    ("large", "similar"): "large_similar",
    ("large", "different"): "large_different",
    ("small", "similar"): "small_similar",
    ("small", "different"): "small_different",
}


@dataclass(frozen=True)
class Quadrant:
    """The quadrant of a data set.

    Attributes:
        name: The strategy.
        large: Whether there are many images.
        similar: Whether they are similar to those of the pretraining.
        size_distance: log10 of images per class over the border; below 0 is small, 1 is ten times.
        similarity_distance: Position on the similarity axis less the border; below 0 is different.
        similarity: The similarity axis.
        doubts: Reasons to doubt the name, in sentences.
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


def place(images: int, classes: int, similarity: Similarity) -> Quadrant:
    """Name the quadrant, with the distances from its borders and the reasons to doubt it.

    Args:
        images: Training images.
        classes: Number of classes.
        similarity: The similarity axis.

    Source:
        The four strategies are the table of the CS231n notes ("Transfer Learning"); the border of
        1,000 images per class is a rule of thumb, that of 20,000 images is BiT's.
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
    """Return why there are too few images to choose; empty if there are enough."""
    if images >= MIN_IMAGES:
        return ""
    return (
        f"{images} training images: every share measured on them is known to 15 points at best, "
        f"so a quadrant would be a guess"
    )
