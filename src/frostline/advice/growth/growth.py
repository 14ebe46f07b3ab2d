"""What more images would bring: the score at twice and four times as many, with an interval."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from frostline.advice.growth.subset_heads import SHARES, SubsetHeads, subset_heads
from frostline.advice.measures.table_features import MAX_WIDTH, principal_components
from frostline.data.seeds import derive_seed
from frostline.stats.power_law import PowerLaw, fit_power_law, interval

Floats = NDArray[np.float64]
FACTORS = (2, 4)
_CURVE_POINTS = 48
LEVEL = 0.9
RESAMPLES = 1000
# Groups of a class in the smallest part, and sizes that a law is fitted to.
MIN_GROUPS_IN_PART = 2
MIN_SIZES = 3
# How far a law that fitted the smaller sizes is off, as a standard deviation of the logarithm of
# the error at each doubling: chosen on some sets and checked on others by `benchmarks.growth`.
MODEL_SD = 0.06


@dataclass(frozen=True)
class Projection:
    """The score at a number of images.

    Attributes:
        factor: Times as many images as there are.
        images: How many that is.
        score: Macro accuracy, in 0 .. 1.
        low: Of the 90 % interval.
        high: Of the 90 % interval.
    """

    factor: int
    images: int
    score: float
    low: float
    high: float


@dataclass(frozen=True)
class ClassGain:
    """A class, and what doubling its images has brought so far."""

    name: str
    recall: float
    gain: float
    low: float
    high: float


@dataclass(frozen=True)
class Growth:
    """What can be said of more images.

    Attributes:
        backbone: Whose features were used.
        images: Training images there are.
        why_not: Why nothing can be said; empty if something can.
        measured: Number of images and macro accuracy of heads of that size.
        projections: At 1, 2 and 4 times as many images.
        curve: Numbers of images and the law's score at them, from the smallest part to 4x.
        classes: Those that gained most from the last doubling first.
        draws: (B, 3) resampled scores of the projections, for comparing backbones.
    """

    backbone: str
    images: int
    why_not: str
    measured: tuple[tuple[float, float], ...] = ()
    projections: tuple[Projection, ...] = ()
    curve: tuple[tuple[float, float], ...] = ()
    classes: tuple[ClassGain, ...] = ()
    draws: Floats | None = None

    def plain(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        return {
            "backbone": self.backbone,
            "images": self.images,
            "cannot_tell": self.why_not or None,
            "measured": [list(pair) for pair in self.measured],
            "projections": [asdict(one) for one in self.projections],
            "curve": [list(pair) for pair in self.curve],
            "classes": [asdict(one) for one in self.classes],
        }


def shares_for(labels: NDArray[np.int64], groups: NDArray[np.str_]) -> dict[float, int] | str:
    """Return the parts that these images allow, or why they allow too few."""
    pairs = np.unique(np.stack([labels, np.unique(groups, return_inverse=True)[1]]), axis=1)
    n_groups = np.bincount(pairs[0])
    if len(n_groups) < 2 or n_groups.min() < 2:
        return "each class needs two images (or groups of images of one object) at least"
    usual = float(np.median(n_groups)) * 0.8
    shares = {
        share: draws for share, draws in SHARES.items() if share * usual >= MIN_GROUPS_IN_PART
    }
    if len(shares) < MIN_SIZES:
        needed = math.ceil(MIN_GROUPS_IN_PART / sorted(SHARES)[-MIN_SIZES] / 0.8)
        return (
            f"the classes have {np.median(n_groups):.0f} images (or groups of images of one "
            f"object) to train on, at the median, and {needed} are needed: a law is fitted to the "
            "scores of smaller parts"
        )
    return shares


def growth_of(
    backbone: str,
    features: Tensor,
    labels: NDArray[np.int64],
    groups: NDArray[np.str_],
    classes: tuple[str, ...],
    *,
    seed: int,
) -> Growth:
    """Measure smaller parts of the images, and project their law to more.

    Args:
        backbone: Its name.
        features: (N, F) float32.
        labels: (N) int64, 0 .. K-1, all of which occur.
        groups: (N).
        classes: K names.
        seed: Of the parts and of the resamples.
    """
    shares = shares_for(labels, groups)
    if isinstance(shares, str):
        return Growth(backbone, len(labels), shares)
    features = principal_components(features, MAX_WIDTH)
    heads = subset_heads(features, labels, groups, seed=seed, shares=shares)
    scores, weights = resampled_scores(heads, labels, groups, seed=seed)
    measured = tuple(zip(heads.sizes.tolist(), scores[0].tolist(), strict=True))
    if why_not := no_law(scores, len(classes)):
        return Growth(backbone, len(labels), why_not, measured)
    projections, draws = project(heads.sizes, scores, len(labels), seed=seed)
    curve = law_curve(heads.sizes, scores[:1], len(labels))
    gains = _class_gains(heads, labels, weights, classes)
    return Growth(backbone, len(labels), "", measured, projections, curve, gains, draws)


def project(
    sizes: Floats,
    scores: Floats,
    images: int,
    *,
    seed: int,
    model_sd: float = MODEL_SD,
) -> tuple[tuple[Projection, ...], Floats]:
    """Fit a power law and follow it.

    Args:
        sizes: (S) numbers of images, ascending.
        scores: (1 + B, S) macro accuracy at them: as measured, and in resamples of the groups.
        images: How many there are.
        seed: Of how far the law is off in each resample.
        model_sd: See `MODEL_SD`.

    Returns:
        Projections to 1, 2 and 4 times as many, and the resampled scores there (B, 3).
    """
    law = _law(sizes, scores, images)
    off = np.random.default_rng(derive_seed(seed, "law")).standard_normal(len(scores) - 1)
    projections, draws = [], []
    for factor in (1, *FACTORS):
        n = factor * images
        errors = law.error_at(n)
        doublings = np.log2(n / sizes[-1])
        drawn = 1 - np.minimum(errors[1:] * np.exp(off * model_sd * doublings), 1.0)
        low, high = interval(drawn, LEVEL)
        score = float(1 - errors[0])
        projections.append(Projection(factor, n, score, min(low, score), max(high, score)))
        draws.append(drawn)
    return tuple(projections), np.stack(draws, axis=1)


def law_curve(sizes: Floats, scores: Floats, images: int) -> tuple[tuple[float, float], ...]:
    """Return the fitted law for drawing: numbers of images and scores, evenly on a log axis.

    Args:
        sizes: As for `project`.
        scores: (1, S), as measured.
        images: How many there are, which is one of the numbers, so that a line may end there.
    """
    law = _law(sizes, scores, images)
    numbers = np.geomspace(sizes[0], FACTORS[-1] * images, _CURVE_POINTS)
    numbers = np.unique(np.append(numbers, float(images)))
    return tuple((float(n), float(1 - law.error_at(float(n))[0])) for n in numbers)


def _law(sizes: Floats, scores: Floats, images: int) -> PowerLaw:
    """The law of the errors; one below that of half an image cannot be distinguished from none."""
    return fit_power_law(sizes, np.maximum(1 - scores, 0.5 / images))


def macro_scores(hits: Floats, labels: NDArray[np.int64], weights: Floats) -> Floats:
    """Return the macro accuracy (B, S) of hits (N, S) with image weights (B, N).

    A class without weight in a resample is left out there.
    """
    totals, n_classes = np.zeros((len(weights), hits.shape[1])), np.zeros((len(weights), 1))
    for label in np.unique(labels):
        here = labels == label
        mass = weights[:, here].sum(axis=1, keepdims=True)
        totals += np.where(mass > 0, weights[:, here] @ hits[here] / np.maximum(mass, 1e-12), 0.0)
        n_classes += mass > 0
    return np.asarray(totals / n_classes)


def resampled_scores(
    heads: SubsetHeads, labels: NDArray[np.int64], groups: NDArray[np.str_], *, seed: int
) -> tuple[Floats, Floats]:
    """Return macro accuracies, measured and in resamples (1 + B, S), and their weights (B, N)."""
    weights = _resamples(groups, seed)
    every = np.vstack([np.ones(len(labels)), weights])
    return macro_scores(heads.hits, labels, every), weights


def _resamples(groups: NDArray[np.str_], seed: int) -> Floats:
    """How often each image is in each resample of the groups, (B, N)."""
    _, codes = np.unique(groups, return_inverse=True)
    n_groups = int(codes.max()) + 1
    rng = np.random.default_rng(derive_seed(seed, "resamples"))
    counts = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=RESAMPLES)
    return counts[:, codes].astype(np.float64)


def no_law(scores: Floats, n_classes: int) -> str:
    """Return why the scores show no law; empty if they may."""
    best, smallest = scores[:, -1], scores[:, 0]
    if float(np.quantile(best, 0.05)) <= 1 / n_classes:
        return (
            f"heads on all images recognise {best[0]:.0%} of each class, and guessing gives "
            f"{1 / n_classes:.0%}: these features do not tell the classes apart, or the labels are "
            "wrong"
        )
    if smallest[0] >= 1:
        return "heads on the smallest part recognise every image already: nothing is left to gain"
    return ""


def _class_gains(
    heads: SubsetHeads, labels: NDArray[np.int64], weights: Floats, classes: tuple[str, ...]
) -> tuple[ClassGain, ...]:
    gains = []
    for label, name in enumerate(classes):
        here = labels == label
        mass = weights[:, here].sum(axis=1)
        difference = heads.hits[here, -1] - heads.hits[here, -2]
        drawn = (weights[:, here] @ difference)[mass > 0] / mass[mass > 0]
        low, high = interval(drawn, LEVEL)
        recall, gain = float(heads.hits[here, -1].mean()), float(difference.mean())
        gains.append(ClassGain(name, recall, gain, low, high))
    return tuple(sorted(gains, key=lambda one: -one.gain))
