"""Whether a picture is unlike those that a run was trained on, with the rate of false alarms.

The warning looks at the features that the head gets: how far they are from those of the nearest
training images. How far is too far is decided on validation images, and how often that alarms
without cause is measured on the run's own test images.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from frostline.data.image_datamodule import ImageDataModule
from frostline.data.sample_table import SampleTable
from frostline.data.splits import Splits, keep_fraction
from frostline.errors import DataError
from frostline.inference.evaluation_images import own_data
from frostline.inference.rebuild import Rebuilt
from frostline.inference.trust.coverage import Share, share_of
from frostline.stats.nearest import neighbour_distances
from frostline.stats.prediction_sets import grouped_quantile, groups_needed

Rows = NDArray[np.int64]
Floats = NDArray[np.float32]
# Share of pictures like the training data for which the warning is meant to come.
FALSE_ALARMS = 0.05
MAX_REFERENCE = 2000
MAX_JUDGED = 1000


@dataclass(frozen=True)
class Unlike:
    """The rule of the warning.

    Attributes:
        reference: (N, F) features of training images.
        threshold: Distance beyond which a picture is unlike them.
        false_alarms: Share of the run's test images that it warns of.
    """

    reference: Floats
    threshold: float
    false_alarms: Share

    def warned(self, features: Floats) -> NDArray[np.bool_]:
        """Return which images (M, F) are unlike the training images, (M)."""
        return np.asarray(neighbour_distances(features, self.reference) > self.threshold)


def unlike_training(
    rebuilt: Rebuilt,
    features_of: Callable[[NDArray[np.uint8]], Floats],
    *,
    advance: Callable[[str], None] = lambda _: None,
) -> Unlike | str:
    """Make the rule from the images that a run was trained on.

    Args:
        rebuilt: The run.
        features_of: Decoded squares (B, S, S, C) uint8 to features (B, F).
        advance: Receives a line of progress.

    Returns:
        The rule, or a sentence why there is none.
    """
    try:
        table, splits = own_data(rebuilt)
    except (DataError, OSError) as error:
        given = error.given if isinstance(error, DataError) else str(error)
        return f"the images that it was trained on are needed: {given}"
    if why_not := _too_few(table, splits):
        return why_not
    parts = {
        "train": _sample(table, splits.train, MAX_REFERENCE),
        "val": _sample(table, splits.val, MAX_JUDGED),
        "test": _sample(table, splits.test, MAX_JUDGED),
    }
    n_images = sum(map(len, parts.values()))
    advance(f"features of {n_images:,} images of the run, to know what is unlike them")
    features = {name: _features(rebuilt, table, rows, features_of) for name, rows in parts.items()}
    reference = features["train"]
    distances = {
        name: neighbour_distances(features[name], reference).astype(np.float64)
        for name in ("val", "test")
    }
    threshold = grouped_quantile(distances["val"], table.groups[parts["val"]], 1 - FALSE_ALARMS)
    alarms = distances["test"] > threshold
    return Unlike(reference, threshold, share_of(alarms, table.groups[parts["test"]]))


def _too_few(table: SampleTable, splits: Splits) -> str:
    needed = groups_needed(1 - FALSE_ALARMS)
    n_groups = len(np.unique(table.groups[splits.val]))
    if n_groups >= needed:
        return ""
    return (
        f"the run has {n_groups} groups of validation images, and {needed} are needed for at most "
        f"{FALSE_ALARMS:.0%} false alarms"
    )


def _sample(table: SampleTable, rows: Rows, most: int) -> Rows:
    """About so many rows at most: whole groups, the same share of each class."""
    if len(rows) <= most:
        return rows
    return keep_fraction(table, rows, fraction=most / len(rows), seed=0)


def _features(
    rebuilt: Rebuilt,
    table: SampleTable,
    rows: Rows,
    features_of: Callable[[NDArray[np.uint8]], Floats],
) -> Floats:
    none = np.empty(0, dtype=np.int64)
    data = ImageDataModule(
        table,
        Splits(none, none, rows),
        rebuilt.backbone.input,
        augment="none",
        batch_size=rebuilt.settings.batch_size,
        seed=0,
        workers=0,
        memory_gib=rebuilt.settings.data.memory_gib,
    )
    pixels = data.pixels(data.evaluation)
    size = rebuilt.settings.batch_size
    with torch.inference_mode():
        return np.concatenate(
            [
                features_of(pixels.take(rows[start : start + size]))
                for start in range(0, len(rows), size)
            ]
        )
