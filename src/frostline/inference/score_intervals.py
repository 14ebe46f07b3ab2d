"""Loss and scores of a network on images, with intervals over the groups of images."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_f1_score

from frostline.data.sample_table import name_some
from frostline.stats.intervals import Estimate, share_interval
from frostline.stats.lone_classes import FEW_GROUPS
from frostline.stats.predictions import Predictions, value_and_influence
from frostline.stats.rules import SCORES
from frostline.training.metrics import classification_metrics

LEVEL = 0.95
_ROUNDING_ERROR = 1e-9
# Every image that is wrongly called a class belongs to another class.
NEED_SEVERAL_CLASSES = frozenset({"f1_macro"})


def figures_of(logits: Tensor, labels: Tensor) -> dict[str, float]:
    """Compute loss and scores as in training, macro averages over the classes that occur.

    Training has images of all classes. In another data set a class without images has no recall;
    counting it as 0 would measure the data set and not the network.

    Args:
        logits: (N, K) float.
        labels: (N,) int64 in 0 .. K - 1.
    """
    figures = classification_metrics(logits, labels)
    n_classes = logits.shape[1]
    present = torch.bincount(labels, minlength=n_classes) > 0
    if bool(present.all()):
        return figures
    for name, score in (("acc_macro", multiclass_accuracy), ("f1_macro", multiclass_f1_score)):
        each = score(logits, labels, n_classes, average="none")
        figures[name] = each[present].mean().item()
    return figures


def blank_of_one_class(figures: dict[str, float], labels: Tensor) -> dict[str, float]:
    """Replace by NaN what images of one class cannot give: F1, whose precision needs others.

    Args:
        figures: From `figures_of`.
        labels: (N,) int64.
    """
    if len(torch.unique(labels)) != 1:
        return figures
    return {
        name: float("nan") if name in NEED_SEVERAL_CLASSES else v for name, v in figures.items()
    }


def intervals_of(predictions: Predictions) -> dict[str, tuple[float, float]]:
    """Compute 95 % intervals of the scores, in which the images of a group count as one.

    Source:
        See `frostline.stats.predictions` (influence of each image) and
        `frostline.stats.intervals.share_interval`.
    """
    _, rows = np.unique(predictions.groups, return_inverse=True)
    n_groups = int(rows.max()) + 1
    intervals = {}
    is_one_class = len(np.unique(predictions.labels)) == 1
    for name in SCORES:
        if is_one_class and name in NEED_SEVERAL_CLASSES:
            continue
        value, influence = value_and_influence(predictions, name)
        sums = np.bincount(rows, weights=influence, minlength=n_groups)
        factor = n_groups / max(1, n_groups - 1)
        error = float(np.sqrt(factor * np.square(sums).sum()))
        # With one group a class the spread is unknown: what is left is rounding.
        error = error if error > _ROUNDING_ERROR else 0.0
        estimate = Estimate(value, error, max(1, n_groups - 1))
        intervals[name] = share_interval(estimate, LEVEL, n_groups)
    return intervals


def few_groups_note(predictions: Predictions, classes: Sequence[str]) -> str:
    """Say of which classes there are so few groups that intervals of macro scores are too narrow.

    Args:
        predictions: Of the images.
        classes: Names of the classes.

    Returns:
        A sentence; empty if each class that occurs has enough.
    """
    pairs = {*zip(predictions.labels.tolist(), predictions.groups.tolist(), strict=True)}
    sizes = Counter(label for label, _ in pairs)
    few = [classes[label] for label in sorted(sizes) if sizes[label] < FEW_GROUPS]
    if not few or len(sizes) == 1:
        return ""
    return (
        f"{len(few)} of {len(sizes)} classes ({name_some(few)}) have fewer than {FEW_GROUPS} "
        "images (or groups of images): intervals of macro scores hardly contain how such classes "
        "would score on others, and are too narrow"
    )
