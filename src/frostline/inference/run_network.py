"""A run's network over the images of a table: its own splits, or another data set."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from frostline.backbones.compute_mode import ComputeMode, InComputeMode, parse_compute_mode
from frostline.data.image_datamodule import ImageDataModule
from frostline.data.load import load_table, split_of
from frostline.data.sample_table import SampleTable
from frostline.data.splits import Splits, split_digest
from frostline.errors import DataError
from frostline.features.compute import precision_context
from frostline.inference.class_map import ClassMap
from frostline.inference.rebuild import Rebuilt
from frostline.inference.score_intervals import figures_of
from frostline.stats.predictions import Predictions
from frostline.training.assembly import cut_of
from frostline.training.engine import Engine, choose_engine, choose_kernels
from frostline.training.metrics import probabilities
from frostline.training.precision_probe import FASTEST

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Evaluated:
    """What a run said about some images.

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
        """The same as items, groups, labels and probabilities, sorted by item."""
        items = np.array([table.items[row] for row in self.rows.tolist()], dtype=np.str_)
        order = np.argsort(items, kind="stable")
        return Predictions(
            items[order],
            table.groups[self.rows][order],
            self.labels.numpy()[order],
            probabilities(self.logits).numpy().astype(np.float16)[order],
        )


def engine_here(rebuilt: Rebuilt) -> Engine:
    """The run's own precision on the best device of this machine."""
    wanted = rebuilt.settings.trainer
    engine = choose_engine(wanted.model_copy(update={"accelerator": "auto"}))
    if engine.precision != FASTEST:
        return engine
    # What was fastest where it was trained is part of its figures.
    return replace(engine, precision=_ways_then(rebuilt)[0].precision)


def _ways_then(rebuilt: Rebuilt) -> tuple[ComputeMode, ComputeMode]:
    """Of what trained and of the frozen stages, as a run of `precision=fastest` noted them."""
    tag = rebuilt.record.tags.get("frostline.engine", "") if rebuilt.record else ""
    found = re.fullmatch(r"\w+ (.+), frozen stages (.+)", tag)
    return (
        (parse_compute_mode(found[1]), parse_compute_mode(found[2]))
        if found
        else (ComputeMode("32-true"), ComputeMode("32-true"))
    )


def _forward(rebuilt: Rebuilt, engine: Engine) -> Callable[[Tensor], Tensor]:
    """Normalised images to logits, each part computed as it was in training."""
    settings = rebuilt.settings
    training = forward = ComputeMode(engine.precision)
    if settings.trainer.precision == FASTEST:
        training, forward = _ways_then(rebuilt)
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


def own_data(rebuilt: Rebuilt) -> tuple[SampleTable, Splits]:
    """The data set that a run was made with, divided as it was then.

    Raises:
        DataError: If it cannot be read, or is not what it was.
    """
    data = rebuilt.settings.data
    path = getattr(data, "path", None)
    if path is not None and not Path(path).expanduser().exists():
        raise DataError(
            f"the data that {rebuilt.name} was trained with are no longer at {path} "
            f"(seen from {Path.cwd()})",
            todo="say where they are now: --data DIR",
        )
    table = load_table(data)
    return table, own_splits(rebuilt, table)


def own_splits(rebuilt: Rebuilt, table: SampleTable) -> Splits:
    """A run's splits of its own data set.

    Raises:
        DataError: If the data set or its splits are not what they were.
    """
    tags = rebuilt.record.tags if rebuilt.record else {}
    then = tags.get("frostline.data_fingerprint", table.fingerprint)
    if table.fingerprint != then:
        raise DataError(
            f"the data set {table.name} is not what it was when {rebuilt.name} was trained "
            f"(fingerprint {table.fingerprint[:12]}, then {then[:12]}): images of its test split "
            "may have been trained on",
            todo="give the data set as it was, or judge the run on another one with --data DIR",
        )
    splits = split_of(table, rebuilt.settings.data, seed=rebuilt.settings.seed)
    digest = split_digest(table, splits)
    if tags.get("frostline.split_digest", digest) != digest:
        raise DataError(
            f"{table.name} is divided otherwise now than when {rebuilt.name} was trained",
            todo="use the version of Frostline that the run names, or train the run again",
        )
    return splits


def judge(
    rebuilt: Rebuilt,
    table: SampleTable,
    rows: Rows,
    engine: Engine,
    *,
    mapped: ClassMap | None = None,
    advance: Callable[[int], object] = lambda _: None,
) -> Evaluated:
    """Run a network over some rows of a table and score it.

    The batches are those of training, so that on the same machine and versions the run's own
    figures come out to the last digit.

    Args:
        rebuilt: The run.
        table: The images.
        rows: Which of them; of a data set with other classes only those that are mapped.
        engine: Where, in which precision.
        mapped: From the table's classes to the run's; None if they are the same.
        advance: Told the number of images after each batch.
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
    choose_kernels()
    seen: list[tuple[Tensor, Tensor, Tensor]] = []
    with torch.inference_mode():
        for batch in data.evaluation_dataloader("test"):
            images = preprocess(
                batch.inputs.to(engine.accelerator),
                batch.views.to(engine.accelerator),
                training=False,
                epoch=0,
                batch_idx=0,
            )
            seen.append((forward(images).cpu(), batch.labels, batch.items))
            advance(len(batch.labels))
    logits, labels, items = (torch.cat(part) for part in zip(*seen, strict=True))
    if mapped is not None:
        labels = torch.from_numpy(mapped.index)[labels]
    return Evaluated(logits.clone(), labels, items.numpy(), figures_of(logits, labels))
