"""Run a rebuilt network over the images of a table and score it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from frostline.backbones.compute_mode import ComputeMode, InComputeMode
from frostline.data.image_datamodule import ImageDataModule
from frostline.data.sample_table import SampleTable
from frostline.data.splits import Splits
from frostline.data.transforms import apply_views
from frostline.features.compute import precision_context
from frostline.inference.class_map import ClassMap
from frostline.inference.rebuild import Rebuilt
from frostline.inference.run_engine import engine_tag, recorded_modes
from frostline.inference.score_intervals import blank_of_one_class, figures_of
from frostline.stats.predictions import Predictions
from frostline.training.engine import STRICT, Engine, choose_kernels
from frostline.training.parts import cut_of
from frostline.training.precision_probe import FASTEST
from frostline.training.probabilities import probabilities

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Evaluated:
    """Outputs of a network for some images, and its scores.

    Attributes:
        logits: (N, K) float32, in the order of the table.
        labels: (N,) int64, the run's classes.
        rows: (N,) int64, rows of the table.
        figures: `loss`, `acc_micro`, `acc_macro`, `f1_macro`.
    """

    logits: Tensor
    labels: Tensor
    rows: Rows
    figures: dict[str, float]

    def predictions(self, table: SampleTable) -> Predictions:
        """As predictions with items, groups, labels and probabilities, sorted by item."""
        items = np.array([table.items[row] for row in self.rows.tolist()], dtype=np.str_)
        order = np.argsort(items, kind="stable")
        return Predictions(
            items[order],
            table.groups[self.rows][order],
            self.labels.numpy()[order],
            probabilities(self.logits).numpy().astype(np.float16)[order],
        )


def _forward(rebuilt: Rebuilt, engine: Engine) -> Callable[[Tensor], Tensor]:
    """A function from normalised images to logits, each part in the mode of its training."""
    settings = rebuilt.settings
    training = forward = ComputeMode(engine.precision)
    if settings.trainer.precision == FASTEST:
        training, forward = recorded_modes(rebuilt)
    if forward == training == ComputeMode(engine.precision):
        network = rebuilt.network

        def whole(images: Tensor) -> Tensor:
            with precision_context(engine.accelerator, engine.precision):
                return network(images).float()  # type: ignore[no-any-return]

        return whole
    parts = cut_of(settings, rebuilt.backbone, settings.freeze)
    prefix = InComputeMode(parts.prefix, engine.accelerator, forward, training)

    def in_parts(images: Tensor) -> Tensor:
        with precision_context(engine.accelerator, engine.precision):
            return rebuilt.head(parts.suffix(prefix(images))).float()  # type: ignore[no-any-return]

    return in_parts


def evaluate_rows(
    rebuilt: Rebuilt,
    table: SampleTable,
    rows: Rows,
    engine: Engine,
    *,
    mapped: ClassMap | None = None,
    view: int = 0,
    n_views: int = 1,
    advance: Callable[[int], object] = lambda _: None,
) -> Evaluated:
    """Run a network over some rows of a table and score it.

    The batches have the size of training, so that the same machine and versions give exactly the
    figures that the run logged.

    Args:
        rebuilt: The run.
        table: The images.
        rows: Rows of the table; with `mapped` only those whose class is one of the run's.
        engine: Device and precision.
        mapped: From the table's classes to the run's; None if they are the same.
        view: Which view of each image, in 0 .. n_views - 1; 0 is the image itself.
        n_views: Of each image: see `frostline.data.transforms.apply_views`.
        advance: Receives the number of images after each batch.
    """
    settings = rebuilt.settings
    none = np.empty(0, dtype=np.int64)
    data = ImageDataModule(
        table,
        Splits(none, none, rows),
        rebuilt.backbone.input,
        augment="none",
        batch_size=settings.batch_size,
        seed=settings.seed,
        workers=settings.trainer.workers,
        memory_gib=settings.data.memory_gib,
    )
    preprocess = rebuilt.preprocess
    rebuilt.network.to(engine.accelerator)
    forward = _forward(rebuilt, engine)
    preprocess.to(engine.accelerator)
    # As in training: without strict kernels attention may be computed by others, which round
    # otherwise.
    choose_kernels(strict=engine.accelerator == "cuda" and engine_tag(rebuilt).endswith(STRICT))
    outputs: list[tuple[Tensor, Tensor, Tensor]] = []
    with torch.inference_mode():
        for batch in data.evaluation_dataloader("test"):
            inputs = batch.inputs.to(engine.accelerator)
            views = torch.full((len(inputs),), view, device=inputs.device)
            images = preprocess(
                apply_views(inputs, views, n_views),
                batch.views.to(engine.accelerator),
                training=False,
                epoch=0,
                batch_idx=0,
            )
            outputs.append((forward(images).cpu(), batch.labels, batch.items))
            advance(len(batch.labels))
    logits, labels, items = (torch.cat(part) for part in zip(*outputs, strict=True))
    if mapped is not None:
        labels = torch.from_numpy(mapped.index)[labels]
    return scored(logits.clone(), labels, items.numpy(), of_other_data=mapped is not None)


def scored(logits: Tensor, labels: Tensor, rows: Rows, *, of_other_data: bool) -> Evaluated:
    """Score a network's outputs.

    Args:
        logits: (N, K) float32.
        labels: (N,) int64.
        rows: (N,) int64, rows of the table.
        of_other_data: Whether images of some classes may be missing.
    """
    figures = figures_of(logits, labels)
    if of_other_data:
        figures = blank_of_one_class(figures, labels)
    return Evaluated(logits, labels, rows, figures)
