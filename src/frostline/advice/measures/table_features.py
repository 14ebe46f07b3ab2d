"""One vector of features for each image of a table, read from the store or computed for it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from frostline.backbones.build import build_backbone
from frostline.backbones.compute_mode import ComputeMode
from frostline.backbones.split.cut import cut
from frostline.config.conf_files import group_defaults
from frostline.config.image_size import Sides
from frostline.config.schema import TrainerSettings
from frostline.data.image_datamodule import ImageDataModule
from frostline.data.sample_table import SampleTable
from frostline.data.splits import Splits
from frostline.errors import DataError
from frostline.features.fill import Demand
from frostline.features.prefix_job import PrefixJob
from frostline.features.prefix_outputs import prepare_outputs
from frostline.features.stored_file import StoreFailedError
from frostline.features.view_pairs import needed_batches
from frostline.training.engine import choose_engine, prepare_process

_BATCH = 32
# Principal components that are kept: most of the time is saved, and hardly any accuracy lost.
MAX_WIDTH = 256


@dataclass(frozen=True)
class TableFeatures:
    """The pooled outputs of a whole frozen backbone.

    Attributes:
        values: (N, F) float32, in the order of the table.
        backbone: Its name.
        weights_from: Where its weights came from.
        image_size_px: Side of the squares that it got; of rectangles such as `96x128`.
        computed: For how many images they were not stored yet.
    """

    values: Tensor
    backbone: str
    weights_from: str
    image_size_px: int | str
    computed: int


def table_features(
    table: SampleTable,
    *,
    backbone: str,
    weights: str = "pretrained",
    image_size: Sides | None = None,
    memory_gib: float = 4.0,
    on_progress: Callable[..., None] = lambda **_: None,
) -> TableFeatures:
    """Return the features of all images of a table, the same that runs with `freeze=all` store.

    Args:
        table: The images.
        backbone: A name.
        weights: `pretrained` or a path.
        image_size: Side, or height and width, in pixels; None for the weights' own.
        memory_gib: Decoded images are held in memory up to this size.
        on_progress: Receives `text=`.

    Raises:
        BackboneError: If the backbone is unknown, or its outputs cannot be stored.
        WeightsError: If its weights cannot be read or downloaded.
        DataError: If the store cannot be written.
    """
    prepare_process(None)
    engine = choose_engine(TrainerSettings.model_validate(group_defaults("trainer", "auto")))
    model = build_backbone(backbone, weights=weights, image_size=image_size, seed=0)
    parts = cut(model, model.depth("all"), pool="avg")
    none = np.empty(0, dtype=np.int64)
    every = np.arange(len(table), dtype=np.int64)
    data = ImageDataModule(
        table,
        Splits(none, none, every),
        model.input,
        augment="none",
        batch_size=_BATCH,
        seed=0,
        workers=0,
        memory_gib=memory_gib,
    )
    sampler = data.sampler("test", training=False)
    needed = needed_batches(data.sampler("train", training=False), 0, [sampler])
    mode = ComputeMode(engine.precision)
    job = PrefixJob(model, parts, data, engine.accelerator, mode, mode)
    demand = Demand(len(table), jobs=1, on_accelerator=engine.accelerator != "cpu", is_needed=True)
    try:
        outputs, decision, computed = prepare_outputs(job, needed, demand, on_progress)
    except StoreFailedError as failure:
        raise DataError(
            f"the store of features cannot be written: {failure}",
            todo="make room (FROSTLINE_FEATURES_GIB is the limit, FROSTLINE_HOME the folder)",
        ) from None
    if outputs is None:
        raise DataError(
            f"the features of {len(table):,} images cannot be stored: {decision.reason}",
            todo="make room (FROSTLINE_FEATURES_GIB is the limit, FROSTLINE_HOME the folder)",
        )
    values = outputs.take(every, np.zeros_like(every)).float().flatten(1)
    return TableFeatures(values, model.name, model.weights.source, model.input.size_label, computed)


def principal_components(features: Tensor, width: int) -> Tensor:
    """Return centred features (N, F) in their `width` directions of most variance, float32.

    The labels have no part in it. Features of fewer rows or columns are only centred.
    """
    centred = features.double() - features.double().mean(dim=0)
    if min(centred.shape) <= width:
        return centred.float()
    _, directions = torch.linalg.eigh(centred.T @ centred)
    components: Tensor = centred @ directions[:, -width:]
    return components.float()
