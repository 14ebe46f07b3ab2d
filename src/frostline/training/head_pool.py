"""Heads on the stored features of one frozen backbone, trained together wherever they can be."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from frostline.config.own_part import OwnLoss
from frostline.config.recipe import CrossEntropy
from frostline.config.schema import Settings
from frostline.data.image_datamodule import Batch, ImageDataModule
from frostline.data.order import BatchRows
from frostline.data.views import FINITE_VIEWS
from frostline.features.compute import precision_context
from frostline.running_time import running_s
from frostline.training.assembly import Assembly, class_weights_of, head_lr_of
from frostline.training.engine import Engine
from frostline.training.exact_head import PATH, Solution, fits_memory, solve_path
from frostline.training.head_features import HeadFeatures
from frostline.training.head_training import Choice, HeadJob, HeadResult, train_heads
from frostline.training.metrics import stacked_metrics
from frostline.training.parts import head_of

# Heads that differ in none of these see the same batches.
SAME_BATCHES = (
    "seed",
    "order_seed",
    "epochs",
    "batch_size",
    "augment",
    "loss",
    "head",
    "callbacks",
)


@dataclass(frozen=True)
class TrainedHead:
    """A head with what it was trained on.

    Attributes:
        settings: All that determines it, as numbers.
        data: Its images by split.
        module: With the weights of its best epoch.
        result: What became of it.
        seconds: How long it trained; that of all heads trained in one pass with it, which is at
            most a little more than it would have taken by itself.
    """

    settings: Settings
    data: ImageDataModule
    module: nn.Sequential
    result: HeadResult
    seconds: float = 0.0

    @property
    def steps_per_epoch(self) -> int:
        """Batches of the training split."""
        return len(self.data.sampler("train", training=True))


class HeadPool:
    """Trains heads, computing the features that they read where these are not stored.

    Args:
        parts: Table, backbone and cut, which all heads share.
        engine: Where they are trained.
        features: What they read, of the same parts.
    """

    def __init__(self, parts: Assembly, engine: Engine, features: HeadFeatures) -> None:
        self.parts = parts
        self.features = features
        self._engine = engine

    @property
    def features_s(self) -> float:
        """Seconds that opening features has taken so far, computing missing ones included."""
        return self.features.seconds

    def train(self, jobs: Sequence[Settings]) -> list[TrainedHead]:
        """Train a head for each of the settings.

        Raises:
            ConfigError: If stored features cannot be used here.
        """
        data = [self.features.data_of(job) for job in jobs]
        self.features.open(jobs, self.features.training_batches(jobs))
        width, classes = self.parts.cut.num_features, len(self.parts.table.classes)
        heads = [head_of(job, width, classes) for job in jobs]
        results: dict[int, HeadResult] = {}
        took_s: dict[int, float] = {}
        for places in _with_same_batches(jobs):
            begun_s = running_s()
            trained = _train(
                [jobs[place] for place in places],
                [heads[place] for place in places],
                data[places[0]],
                self.features,
                self._engine,
            )
            results |= dict(zip(places, trained, strict=True))
            took_s |= dict.fromkeys(places, running_s() - begun_s)
        for place, head in enumerate(heads):
            if results[place].best_epoch >= 0:
                head.load_state_dict(results[place].best_state)
            head.eval()
        return [
            TrainedHead(job, data[place], heads[place], results[place], took_s[place])
            for place, job in enumerate(jobs)
        ]

    def solve(
        self, job: Settings, path: Sequence[float] = PATH
    ) -> list[tuple[Solution, TrainedHead]] | None:
        """Solve a job's linear head exactly, for several strengths of the penalty.

        Args:
            job: See `solves_head`.
            path: Strengths to try, from strong to weak.

        Returns:
            What was tried; None if its features are too many to be held.

        Raises:
            ConfigError: If stored features cannot be used here.
            TrainingDivergedError: If there is no finite solution.
        """
        data = self.features.data_of(job)
        rows, views = data.splits.train, FINITE_VIEWS[job.augment.name]
        if not fits_memory(len(rows) * views, self.parts.cut.num_features):
            return None
        parts = [
            rows[start : start + job.batch_size] for start in range(0, len(rows), job.batch_size)
        ]
        every = [
            BatchRows(part, np.full(len(part), view, dtype=np.int64))
            for view in range(views)
            for part in parts
        ]
        self.features.open([job], every)
        train = [self.features[batch] for batch in every]
        held_out = [self.features[batch] for batch in data.sampler("val", training=False)]
        assert isinstance(job.loss, CrossEntropy)  # see config.tune_grid.solves_head
        solutions = solve_path(
            torch.cat([batch.inputs for batch in train]),
            torch.cat([batch.labels for batch in train]),
            torch.cat([batch.inputs for batch in held_out]),
            torch.cat([batch.labels for batch in held_out]),
            classes=len(self.parts.table.classes),
            label_smoothing=job.loss.label_smoothing,
            class_weights=class_weights_of(job, data),
            path=path,
        )
        return [(one, self._solved(job, data, one, held_out)) for one in solutions]

    def _solved(
        self, job: Settings, data: ImageDataModule, solution: Solution, held_out: Sequence[Batch]
    ) -> TrainedHead:
        """A solved head in the form of a trained one, with one epoch."""
        head = head_of(job, self.parts.cut.num_features, len(self.parts.table.classes)).eval()
        last = len(head) - 1
        state = {f"{last}.weight": solution.weight, f"{last}.bias": solution.bias}
        head.load_state_dict(state)
        logits = self.logits_of(head, held_out)
        figures = stacked_metrics(
            logits.unsqueeze(0), torch.cat([batch.labels for batch in held_out])
        )
        scores = {f"val/{name}": float(values[0]) for name, values in figures.items()}
        result = HeadResult([{"train/loss": solution.train_loss} | scores], 0, state)
        return TrainedHead(job, data, head, result, solution.seconds)

    def logits_of(self, head: nn.Sequential, batches: Sequence[Batch]) -> Tensor:
        """A head's logits for batches of features, computed as the run of one job would: (N, K).

        Args:
            head: In eval mode; on the CPU again on return.
            batches: Of stored features.

        Returns:
            float32, on the CPU.
        """
        device, precision = self._engine.accelerator, self._engine.precision
        head.to(device)
        try:
            with torch.inference_mode(), precision_context(device, precision):
                return torch.cat([head(each.inputs.to(device)).float().cpu() for each in batches])
        finally:
            head.to("cpu")


def _with_same_batches(jobs: Sequence[Settings]) -> list[list[int]]:
    """The jobs that see the same batches and have heads of one structure, by place."""
    sets: dict[str, list[int]] = {}
    for place, job in enumerate(jobs):
        values = job.model_dump(mode="json", include=set(SAME_BATCHES))
        kind = json.dumps(values | {"optimizer": job.optimizer.name}, sort_keys=True)
        sets.setdefault(kind, []).append(place)
    return list(sets.values())


def _train(
    jobs: Sequence[Settings],
    heads: Sequence[nn.Sequential],
    data: ImageDataModule,
    features: HeadFeatures,
    engine: Engine,
) -> list[HeadResult]:
    first = jobs[0]
    choice = first.callbacks
    assert not isinstance(first.loss, OwnLoss)  # see training.group_key
    return train_heads(
        [
            HeadJob(head, head_lr_of(job), job.optimizer, job.lr_schedule)
            for head, job in zip(heads, jobs, strict=True)
        ],
        features.__getitem__,
        data.sampler("train", training=True),
        data.sampler("val", training=False),
        seed=first.seed,
        epochs=first.epochs,
        loss=first.loss,
        class_weights=class_weights_of(first, data),
        choice=Choice(choice.monitor, choice.mode, choice.patience_epochs),
        on_progress=lambda **_: None,
        accelerator=engine.accelerator,
        precision=engine.precision,
    )
