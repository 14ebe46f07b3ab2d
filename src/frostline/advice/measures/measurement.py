"""Measure the training images of a data set with one pretrained backbone."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.advice.measures.familiarity import (
    Classifier,
    Familiarity,
    familiarity_of,
    pretrained_classifier,
)
from frostline.advice.measures.logme import logme
from frostline.advice.measures.simple_classifiers import (
    half_width,
    knn_predictions,
    macro_accuracy,
    probe_predictions,
)
from frostline.config.image_size import Sides
from frostline.cores import usable_cores
from frostline.data.geometry import evaluation_geometry
from frostline.data.imbalance import imbalance_ratio
from frostline.data.pixel_access import OnTheFlyPixels
from frostline.data.sample_table import SampleTable
from frostline.data.splits import keep_fraction

Floats = NDArray[np.float64]
MAX_IMAGES = 1000  # a sample of this size gives the scores to about three points


@dataclass(frozen=True)
class Size:
    """How many images there are to train on.

    Attributes:
        images: Training images.
        groups: Independent groups, such as leaves; images where no groups are known.
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
    """How well the features of one stage separate the classes.

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
class Measured:
    """All measures of one data set with one backbone.

    Attributes:
        backbone: Its name.
        weights_from: Where its weights came from: packaged, cache, hub, path or random.
        weights_digest: Their digest.
        image_size_px: Side of the squares that the backbone got; of rectangles such as `96x128`.
        sampled: Images that were run through the backbone.
        size: Of the whole training split.
        stages: One score for the image itself and one for each stage.
        familiarity: None if the weights come without a usable classifier.
        why_not: Why there is none; empty if there is one.
        seconds: Time that measuring took.
    """

    backbone: str
    weights_from: str
    weights_digest: str
    image_size_px: int | str
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
    familiarity = plain["familiarity"]
    return Measured(
        **{
            **plain,
            "size": Size(**plain["size"]),
            "stages": tuple(StageScore(**stage) for stage in plain["stages"]),
            "familiarity": None if familiarity is None else Familiarity(**familiarity),
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
    """Return about `MAX_IMAGES` rows at most: whole groups, the same share of each class."""
    if len(rows) <= MAX_IMAGES:
        return rows
    return keep_fraction(table, rows, fraction=MAX_IMAGES / len(rows), seed=seed)


def measure(
    table: SampleTable,
    train: NDArray[np.int64],
    *,
    backbone: str,
    weights: str,
    image_size: Sides | None,
    seed: int,
    on_progress: Callable[[str], None] = lambda _: None,
    weights_key: str | None = None,
    weights_partial: bool = False,
) -> Measured:
    """Run a backbone over the training images once, and compute all measures.

    Args:
        table: The images.
        train: Rows of the training split; no other image is used.
        backbone: A name.
        weights: `pretrained`, `random` or a path.
        image_size: Side in pixels, or height and width; None for the weights' own, which the
            reference points need.
        seed: Of the sample.
        on_progress: Receives a line of progress.
        weights_key: Part of the file that is meant, where several fit.
        weights_partial: Whether the file may fit only a part.

    Raises:
        BackboneError: If the backbone is unknown or does not take such images.
        WeightsError: If its weights cannot be read or downloaded.
    """
    from frostline.advice.measures.stage_features import stage_features
    from frostline.backbones.build import build_backbone

    start_s = time.monotonic()
    rows = sample_of(table, train, seed=seed)
    model = build_backbone(
        backbone,
        weights=weights,
        image_size=image_size,
        seed=seed,
        weights_key=weights_key,
        weights_partial=weights_partial,
    )
    pixels = OnTheFlyPixels(table.open_image, table.items, evaluation_geometry(model.input))
    with ThreadPoolExecutor(usable_cores()) as pool:

        def images(some: NDArray[np.int64]) -> NDArray[np.uint8]:
            return np.stack(list(pool.map(pixels.decode, some.tolist())))

        on_progress(f"{backbone}: {len(rows):,} training images at {model.input.size_label} px")
        features = stage_features(model, images, rows)
    labels, groups = table.labels[rows], table.groups[rows]
    scores = tuple(
        score_stage(number, values, labels, groups)
        for number, values in enumerate((features.pixels, *features.stages))
    )
    last = features.stages[-1]
    classifier = pretrained_classifier(model, weights, last.shape[1])
    if isinstance(classifier, Classifier):
        familiarity, why_not = familiarity_of(last, classifier, groups), ""
    else:
        familiarity, why_not = None, classifier
    return Measured(
        backbone=backbone,
        weights_from=model.weights.source,
        weights_digest=model.weights.digest,
        image_size_px=model.input.size_label,
        sampled=len(rows),
        size=size_of(table, train),
        stages=scores,
        familiarity=familiarity,
        why_not=why_not,
        seconds=time.monotonic() - start_s,
    )


def score_stage(
    number: int,
    features: Floats,
    labels: NDArray[np.int64],
    groups: NDArray[np.str_],
) -> StageScore:
    """Score the features of one stage by probe, nearest neighbours and LogME."""
    probe = macro_accuracy(probe_predictions(features, labels, groups), labels)
    knn = macro_accuracy(knn_predictions(features, labels, groups), labels)
    width = half_width(max(probe, knn, 0.5), len(np.unique(groups)))
    return StageScore(number, probe, knn, logme(features, labels), width)
