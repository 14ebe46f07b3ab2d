"""Measure the training images with one pretrained backbone: the thin shell around the measures."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.advice.entropy import normalised_entropy, probabilities, top_confidence
from frostline.advice.held_out import half_width, mean_of_classes
from frostline.advice.knn import knn_predictions
from frostline.advice.linear_probe import probe_predictions
from frostline.advice.logme import logme
from frostline.advice.pretrained_classifier import Classifier, pretrained_classifier
from frostline.advice.prototypes import prototype_agreement
from frostline.data.geometry import evaluation_geometry
from frostline.data.imbalance import imbalance_ratio
from frostline.data.pixels import FlyPixels, usable_cores
from frostline.data.sample_table import SampleTable
from frostline.data.splits import keep_fraction

Floats = NDArray[np.float64]
MOST_IMAGES = 1000  # a sample of this size tells the scores to about three points


@dataclass(frozen=True)
class Size:
    """How many images there are to learn from.

    Attributes:
        images: Training images.
        groups: Things that they show (leaves, say); images where nothing is known.
        classes: Number of classes.
        per_class: Mean number of images of a class.
        fewest: Images of the smallest class.
        imbalance: Images of the largest class over those of the smallest.
    """

    images: int
    groups: int
    classes: int
    per_class: float
    fewest: int
    imbalance: float


@dataclass(frozen=True)
class StageScore:
    """What the features behind one stage tell about the classes.

    Attributes:
        stage: 1 to S; 0 for the image itself, shrunk to 8 x 8 pixels.
        probe: Macro accuracy of a linear probe on held-out groups.
        knn: Macro accuracy of nearest neighbours among other groups.
        logme: LogME, in nats an image.
        half_width: Half of a 95 % interval of the two accuracies.
    """

    stage: int
    probe: float
    knn: float
    logme: float
    half_width: float


@dataclass(frozen=True)
class Familiarity:
    """How well the pretrained classifier knows such images; means over images and their errors.

    Attributes:
        confidence: Mean top-1 probability.
        confidence_error: Standard error of it, over groups.
        entropy: Mean entropy over its largest possible value.
        agreement: Mean largest cosine between features and class prototypes.
        agreement_error: Standard error of it, over groups.
    """

    confidence: float
    confidence_error: float
    entropy: float
    agreement: float
    agreement_error: float


@dataclass(frozen=True)
class Measured:
    """Everything measured on one data set with one backbone.

    Attributes:
        backbone: Its name.
        weights_from: Where its weights came from: packaged, cache, hub, path or random.
        weights_digest: Digest of them.
        image_size_px: Side at which the images were seen.
        sampled: Images that were run through the backbone.
        size: Of the whole training split.
        stages: One score for the image itself and one for each stage.
        familiarity: None where there is no classifier to ask.
        why_not: Why there is none; empty if there is.
        seconds: What it took.
    """

    backbone: str
    weights_from: str
    weights_digest: str
    image_size_px: int
    sampled: int
    size: Size
    stages: tuple[StageScore, ...]
    familiarity: Familiarity | None
    why_not: str
    seconds: float

    def plain(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        return asdict(self)


def measured_from(plain: dict[str, Any]) -> Measured:
    """The inverse of `Measured.plain`."""
    familiar = plain["familiarity"]
    return Measured(
        **{
            **plain,
            "size": Size(**plain["size"]),
            "stages": tuple(StageScore(**stage) for stage in plain["stages"]),
            "familiarity": None if familiar is None else Familiarity(**familiar),
        }
    )


def size_of(table: SampleTable, rows: NDArray[np.int64]) -> Size:
    """Count the training images."""
    labels = table.labels[rows]
    counts = np.bincount(labels, minlength=len(table.classes))
    return Size(
        images=len(rows),
        groups=len(np.unique(table.groups[rows])),
        classes=len(table.classes),
        per_class=len(rows) / len(table.classes),
        fewest=int(counts.min()),
        imbalance=imbalance_ratio(counts),
    )


def sample_of(table: SampleTable, rows: NDArray[np.int64], *, seed: int) -> NDArray[np.int64]:
    """At most about `MOST_IMAGES` of the rows: whole groups, the same share of each class."""
    if len(rows) <= MOST_IMAGES:
        return rows
    return keep_fraction(table, rows, fraction=MOST_IMAGES / len(rows), seed=seed)


def measure(
    table: SampleTable,
    train: NDArray[np.int64],
    *,
    backbone: str,
    weights: str,
    image_size: int | None,
    seed: int,
    on_progress: Callable[[str], None] = lambda _: None,
) -> Measured:
    """Run a backbone over the training images once, and take all measures.

    Args:
        table: The images.
        train: Rows of the training split; no other image is looked at.
        backbone: A name.
        weights: `pretrained`, `random` or a path.
        image_size: Side in pixels; None for the weights' own, at which reference points hold.
        seed: Of the sample.
        on_progress: Receives a line of progress.

    Raises:
        BackboneError: The backbone is unknown or does not take such images.
        WeightsError: Its weights cannot be had.
    """
    from frostline.advice.stage_features import stage_features
    from frostline.backbones.build import build_backbone

    begun = time.monotonic()
    rows = sample_of(table, train, seed=seed)
    model = build_backbone(backbone, weights=weights, image_size=image_size, seed=seed)
    fly = FlyPixels(table.open_image, table.items, evaluation_geometry(model.input))
    with ThreadPoolExecutor(usable_cores()) as pool:

        def images(some: NDArray[np.int64]) -> NDArray[np.uint8]:
            return np.stack(list(pool.map(fly.one, some.tolist())))

        on_progress(f"{backbone}: {len(rows):,} training images at {model.input.size_px} px")
        seen = stage_features(model, images, rows)
    labels, groups = table.labels[rows], table.groups[rows]
    scores = tuple(
        score_stage(number, values, labels, groups)
        for number, values in enumerate((seen.pixels, *seen.stages))
    )
    found = pretrained_classifier(model, weights, seen.stages[-1].shape[1])
    known = familiarity(seen.stages[-1], found, groups) if isinstance(found, Classifier) else None
    return Measured(
        backbone=backbone,
        weights_from=model.weights.source,
        weights_digest=model.weights.digest,
        image_size_px=model.input.size_px,
        sampled=len(rows),
        size=size_of(table, train),
        stages=scores,
        familiarity=known,
        why_not=found if isinstance(found, str) else "",
        seconds=time.monotonic() - begun,
    )


def score_stage(
    number: int,
    features: Floats,
    labels: NDArray[np.int64],
    groups: NDArray[np.str_],
) -> StageScore:
    """Probe, nearest neighbours and LogME on the features behind one stage."""
    probe = mean_of_classes(probe_predictions(features, labels, groups), labels)
    knn = mean_of_classes(knn_predictions(features, labels, groups), labels)
    width = half_width(max(probe, knn, 0.5), len(np.unique(groups)))
    return StageScore(number, probe, knn, logme(features, labels), width)


def familiarity(features: Floats, classifier: Classifier, groups: NDArray[np.str_]) -> Familiarity:
    """What the pretrained classifier says of images, from the features it is given."""
    probs = probabilities(features, classifier.weights, classifier.bias)
    confidence = top_confidence(probs)
    agreement = prototype_agreement(features, classifier.weights)
    return Familiarity(
        confidence=float(confidence.mean()),
        confidence_error=error_by_group(confidence, groups),
        entropy=float(normalised_entropy(probs).mean()),
        agreement=float(agreement.mean()),
        agreement_error=error_by_group(agreement, groups),
    )


def error_by_group(values: Floats, groups: NDArray[np.str_]) -> float:
    """Standard error of the mean of N values, of which those of a group count as one.

    Source: the linearised variance of a ratio of cluster totals (Cochran 1977, chapter 9).
    """
    _, codes = np.unique(groups, return_inverse=True)
    n_groups = int(codes.max()) + 1
    if n_groups < 2:
        return float("inf")
    totals = np.bincount(codes, weights=values - values.mean())
    return float(np.sqrt((totals**2).sum() * n_groups / (n_groups - 1)) / len(values))
