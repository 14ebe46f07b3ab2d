"""Sets of classes for a run's answers, from its recorded validation predictions."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostline.errors import ConfigError
from frostline.stats.intervals import Estimate, share_interval
from frostline.stats.prediction_sets import (
    grouped_quantile,
    groups_needed,
    held,
    sets_of,
    true_scores,
)
from frostline.stats.predictions import Predictions

LEVEL = 0.95


@dataclass(frozen=True)
class Share:
    """A share of images, with an interval in which the images of a group count as one.

    Attributes:
        value: In 0 .. 1.
        low: Of the 95 % interval.
        high: Of the 95 % interval.
        n_images: How many images.
        n_groups: Groups that they form.
    """

    value: float
    low: float
    high: float
    n_images: int
    n_groups: int

    def __str__(self) -> str:
        return f"{self.value:.1%} ({self.low:.1%} .. {self.high:.1%})"


@dataclass(frozen=True)
class PredictionSets:
    """The rule that makes sets of classes.

    Attributes:
        coverage: In how many cases they are to hold the truth, above 0 and below 1.
        threshold: Of the score 1 - p.
        n_images: Validation images that it was found on.
        n_groups: Groups that they form.
        top_alone: How often the most probable class alone is right there.
    """

    coverage: float
    threshold: float
    n_images: int
    n_groups: int
    top_alone: float

    def members(self, probs: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Return which classes are in the set of each image (N, K), of probabilities (N, K)."""
        return sets_of(probs, self.threshold)

    def measured(self, predictions: Predictions) -> Share:
        """Measure how often the sets hold the truth of images with known labels."""
        return share_of(held(predictions, self.threshold), predictions.groups)


def check_coverage(coverage: float) -> None:
    """Raise ConfigError if no sets can hold the truth in this share of cases."""
    if not 0 < coverage < 1:
        more = "; the set of all classes always holds it" if coverage >= 1 else ""
        raise ConfigError(
            f"--coverage {coverage:g}: a share of cases in which the set holds the truth{more}",
            "above 0 and below 1, such as 0.9",
        )


def prediction_sets(validation: Predictions, coverage: float) -> PredictionSets:
    """Find the threshold on validation images.

    Raises:
        ConfigError: If the coverage is none, or needs more groups than there are.
    """
    check_coverage(coverage)
    n_groups = len(np.unique(validation.groups))
    needed = groups_needed(coverage)
    if n_groups < needed:
        most = n_groups / (n_groups + 1)
        raise ConfigError(
            f"--coverage {coverage:g}: cannot tell. The run has {len(validation.items)} validation "
            f"images of {n_groups} groups, and {needed} groups are needed: with fewer, only the "
            "set of all classes holds the truth so often",
            f"at most {math.floor(most * 1000) / 1000:g} with this run" if n_groups else "",
            "train with more validation images, or ask for less",
        )
    threshold = grouped_quantile(true_scores(validation), validation.groups, coverage)
    top_alone = float(validation.correct.mean())
    return PredictionSets(coverage, threshold, len(validation.items), n_groups, top_alone)


def share_of(hits: NDArray[np.bool_], groups: NDArray[np.str_]) -> Share:
    """A share with its interval.

    Args:
        hits: (N), at least one.
        groups: (N).

    Source:
        The linearised variance of a ratio of cluster totals (Cochran 1977, chapter 9); see
        `frostline.stats.intervals.share_interval`.
    """
    _, codes = np.unique(groups, return_inverse=True)
    n_groups = int(codes.max()) + 1
    value = float(hits.mean())
    sums = np.bincount(codes, weights=(hits - value) / len(hits), minlength=n_groups)
    se = float(np.sqrt(n_groups / max(1, n_groups - 1) * np.square(sums).sum()))
    estimate = Estimate(value, se if se > _ROUNDING_ERROR else 0.0, max(1, n_groups - 1))
    low, high = share_interval(estimate, LEVEL, n_groups)
    return Share(value, low, high, len(hits), n_groups)


_ROUNDING_ERROR = 1e-9
