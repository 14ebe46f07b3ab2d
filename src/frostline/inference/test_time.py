"""Test-time augmentation: the mean of the probabilities over finitely many views of each image."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from frostline.data.augmentations import check_augment
from frostline.data.sample_table import SampleTable
from frostline.data.views import n_views_of
from frostline.inference.class_map import ClassMap
from frostline.inference.evaluation_images import own_data
from frostline.inference.rebuild import Rebuilt
from frostline.inference.run_engine import engine_here
from frostline.inference.run_network import Evaluated, Rows, evaluate_rows, scored
from frostline.stats.predictions import Predictions
from frostline.stats.rules import SCORES
from frostline.stats.two_models import Difference, difference_of
from frostline.training.engine import Engine
from frostline.training.probabilities import probabilities

# What is 0 in float32 has no logarithm.
_LEAST = torch.finfo(torch.float32).tiny


@dataclass(frozen=True)
class TtaResult:
    """What views add to the image alone.

    Attributes:
        name: Such as `flip`.
        plain: Figures of the image alone.
        differences: Score to what the mean over the views adds, on the images evaluated.
        on_validation: The same on the run's own validation images; None if those were not looked
            at, or are the ones evaluated.
    """

    name: str
    plain: dict[str, float]
    differences: Mapping[str, Difference]
    on_validation: Mapping[str, Difference] | None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        found = {"on_these": self.differences, "on_validation": self.on_validation}
        return {
            "views": self.name,
            "plain": {k: None if math.isnan(v) else v for k, v in self.plain.items()},
            "difference_95": {
                where: {name: asdict(one) for name, one in each.items()}
                for where, each in found.items()
                if each is not None
            },
        }


def check_views(rebuilt: Rebuilt, tta: str) -> None:
    """Check that the images of a run have such views.

    Raises:
        ConfigError: If they would be turned and are no squares.
    """
    check_augment(tta, rebuilt.backbone.input)


def mean_over_views(each: list[Tensor]) -> Tensor:
    """Logits of each view (N, K) to the logarithm of the mean probabilities (N, K)."""
    mean = torch.stack([probabilities(logits) for logits in each]).mean(dim=0)
    return mean.clamp_min(_LEAST).log()


def evaluate_views(
    rebuilt: Rebuilt,
    table: SampleTable,
    rows: Rows,
    engine: Engine,
    tta: str,
    *,
    mapped: ClassMap | None = None,
    advance: Callable[[int], object] = lambda _: None,
) -> tuple[Evaluated, Evaluated]:
    """Run a network over all views of some images.

    Args:
        rebuilt: As for `evaluate_rows`.
        table: As there.
        rows: As there.
        engine: As there.
        tta: Which views.
        mapped: As there.
        advance: Receives the number of images after each batch of each view.

    Returns:
        The image alone, as without views; the mean over the views.
    """
    n_views = n_views_of(tta)
    each = [
        evaluate_rows(
            rebuilt,
            table,
            rows,
            engine,
            mapped=mapped,
            view=view,
            n_views=n_views,
            advance=advance,
        )
        for view in range(n_views)
    ]
    plain = each[0]
    mean = mean_over_views([one.logits for one in each])
    return plain, scored(mean, plain.labels, plain.rows, of_other_data=mapped is not None)


def differences_of(new: Predictions, old: Predictions) -> dict[str, Difference]:
    """What one of two models adds to the other on the same images, by score."""
    if len(np.unique(old.labels)) < 2:
        return {}
    return {score: difference_of(new, old, score) for score in SCORES}


def own_predictions(rebuilt: Rebuilt, tta: str) -> dict[str, tuple[Predictions, Predictions]]:
    """What a run predicts for its own validation and test images: plain, and over the views.

    Raises:
        DataError: If its images are not there, or have changed.
    """
    table, splits = own_data(rebuilt)
    return {
        split: predictions_of(rebuilt, table, rows, tta)
        for split, rows in (("val", splits.val), ("test", splits.test))
        if len(rows)
    }


def predictions_of(
    rebuilt: Rebuilt, table: SampleTable, rows: Rows, tta: str
) -> tuple[Predictions, Predictions]:
    """Predictions for some images of the run's own data: plain, and over the views."""
    plain, mean = evaluate_views(rebuilt, table, rows, engine_here(rebuilt), tta)
    return plain.predictions(table), mean.predictions(table)
