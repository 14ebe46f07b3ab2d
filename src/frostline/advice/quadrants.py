"""The four strategies: the rules by which size and similarity name one, and what is known of each.

Both axes are continuous, so the distances from the borders say more than the quadrant's name.
"""

from dataclasses import asdict, dataclass
from math import log10
from typing import Any

import yaml

from frostline.advice.similarity import Similarity
from frostline.config.conf_files import CONF

# A common rule of thumb; what our own study says of it stands in docs/strategies.md.
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
# Each strategy with the one across the border of similarity, and the one across that of size.
NEIGHBOURS = {
    "large_similar": ("large_different", "small_similar"),
    "large_different": ("large_similar", "small_different"),
    "small_similar": ("small_different", "large_similar"),
    "small_different": ("small_similar", "large_different"),
}
# Studies that found otherwise.
OBJECTIONS: dict[str, tuple[str, ...]] = {
    "large_similar": (
        "CS231n's notes would train everything here: with many images overfitting is no danger.",
        "Brahimi et al. 2018 (44,000 leaves, 6 backbones): training everything won 6 of 6; a "
        "frozen base lost even to training from scratch in 5 of 6.",
    ),
    "large_different": (
        "Kumar et al. 2022 (arXiv:2202.10054): training the new classifier first, then everything, "
        "is better by 1 point in distribution and 10 points out of it than training everything at "
        "once.",
    ),
    "small_similar": (
        "Sutaji and Yildiz 2022: unfreezing the last block gains 8.85 points on average over a "
        "frozen base.",
        "Brahimi et al. 2018: a frozen base loses to training from scratch in 5 of 6 backbones, "
        "though with 44,000 leaves.",
    ),
    "small_different": (
        "CS231n's notes would rather train a linear classifier on earlier activations: the scores "
        "by depth show what that would give.",
        "Kumar et al. 2022 (arXiv:2202.10054): training features together with a new classifier "
        "distorts them, so the strategy trains the classifier first.",
        "Our own study (experiments/strategy_share.md, one small backbone, two sets): with 30 "
        "images a class it is 3 points ahead of large_different, or level; with 1,000 and more, "
        "and few epochs, of which the new classifier takes two, large_different is ahead.",
    ),
}
GENERAL_OBJECTIONS = (
    "Lee et al. 2023 (arXiv:2210.11466): which stages are best trained depends on what differs: "
    "the first ones where images are corrupted, the last ones where classes are new.",
)


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


def objections_to(strategy: str) -> tuple[str, ...]:
    """Return the findings of studies that contradict a strategy."""
    return (*OBJECTIONS.get(strategy, ()), *GENERAL_OBJECTIONS)


def reason_and_source(strategy: str) -> tuple[str, str]:
    """Return why a strategy does what it does and where that comes from, from its config file."""
    text = (CONF / "strategy" / f"{strategy}.yaml").read_text(encoding="utf-8")
    content: dict[str, Any] = yaml.safe_load(text)["strategy"]
    return content["reason"], content["source"]
