"""Heads on the stored features of one frozen backbone, trained together wherever they can be."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import nn

from frostline.backbones.compute_mode import ComputeMode
from frostline.config.schema import Settings
from frostline.data.image_datamodule import ImageDataModule
from frostline.errors import ConfigError
from frostline.features.cost_model import Decision
from frostline.features.feature_datamodule import RowOutputs
from frostline.features.fill import Demand
from frostline.features.prefix_outputs import PrefixJob, prepare_outputs
from frostline.features.stored_file import StoreFailedError
from frostline.features.view_pairs import needed_batches
from frostline.training.assembly import (
    Assembly,
    class_weights_of,
    data_of,
    head_lr_of,
    head_of,
)
from frostline.training.engine import Engine
from frostline.training.head_training import Choice, HeadJob, HeadResult, train_heads

# Heads that differ in none of these see the same batches.
SAME_BATCHES = ("seed", "epochs", "batch_size", "augment", "loss", "head", "callbacks")


@dataclass(frozen=True)
class TrainedHead:
    """A head with what it was trained on.

    Attributes:
        settings: All that determines it, as numbers.
        data: Its images by split.
        module: With the weights of its best epoch.
        result: What became of it.
    """

    settings: Settings
    data: ImageDataModule
    module: nn.Sequential
    result: HeadResult

    @property
    def steps_per_epoch(self) -> int:
        """Batches of the training split."""
        return len(self.data.sampler("train", training=True))


class HeadPool:
    """Trains heads, computing the features that they read where these are not stored.

    Args:
        parts: Table, backbone and cut, which all heads share.
        engine: Where they are trained.
        n_jobs: Jobs that read the features, for the decision on storing them.
        on_progress: Receives `text=`.

    Attributes:
        features: Rows and views to stored features.
        decision: Why they were stored.
    """

    features: RowOutputs
    decision: Decision

    def __init__(
        self, parts: Assembly, engine: Engine, n_jobs: int, on_progress: Callable[..., None]
    ) -> None:
        self.parts = parts
        self._engine = engine
        self._n_jobs = n_jobs
        self._on_progress = on_progress
        self._data = {_data_key(parts.settings): parts.data}

    def train(self, jobs: Sequence[Settings]) -> list[TrainedHead]:
        """Train a head for each of the settings.

        Raises:
            ConfigError: If stored features cannot be used here.
        """
        data = [self._data_of(job) for job in jobs]
        self._store_features(jobs, data)
        width, classes = self.parts.cut.num_features, len(self.parts.table.classes)
        heads = [head_of(job, width, classes) for job in jobs]
        results: dict[int, HeadResult] = {}
        for places in _with_same_batches(jobs):
            trained = _train(
                [jobs[place] for place in places],
                [heads[place] for place in places],
                data[places[0]],
                self.features,
            )
            results |= dict(zip(places, trained, strict=True))
        for place, head in enumerate(heads):
            if results[place].best_epoch >= 0:
                head.load_state_dict(results[place].best_state)
            head.eval()
        return [
            TrainedHead(job, data[place], heads[place], results[place])
            for place, job in enumerate(jobs)
        ]

    def _data_of(self, job: Settings) -> ImageDataModule:
        key = _data_key(job)
        if key not in self._data:
            self._data[key] = data_of(job, self.parts.table, self.parts.backbone)
        return self._data[key]

    def _store_features(self, jobs: Sequence[Settings], data: Sequence[ImageDataModule]) -> None:
        """Open the features that all jobs will read, computed now where they are not stored."""
        first = jobs[0]
        longest = {
            _data_key(job): max(each.epochs for each in jobs if _data_key(each) == _data_key(job))
            for job in jobs
        }
        needed = [
            batch
            for key, epochs in longest.items()
            for batch in needed_batches(
                self._data[key].sampler("train", training=True),
                epochs,
                [self._data[key].sampler(split, training=False) for split in ("val", "test")],
            )
        ]
        mode = ComputeMode(self._engine.precision)
        prefix = PrefixJob(
            self.parts.backbone, self.parts.cut, data[0], self._engine.accelerator, mode, mode
        )
        sizes = {split: len(rows) for split, rows in data[0].splits.named().items()}
        passes = first.epochs * (sizes["train"] + sizes["val"]) + sizes["val"] + sizes["test"]
        demand = Demand(passes, jobs=max(self._n_jobs, len(jobs)), on_accelerator=False)
        try:
            outputs, decision, _ = prepare_outputs(prefix, needed, demand, self._on_progress)
        except StoreFailedError as failure:
            raise ConfigError(f"the store of prefix outputs cannot be written: {failure}") from None
        if outputs is None:
            raise ConfigError(f"features are not stored: {decision.reason}")
        self.features = RowOutputs(outputs, self.parts.table.labels)
        self.decision = decision


def _data_key(job: Settings) -> str:
    """What a job's batches of images depend on, within a group."""
    values = job.model_dump(mode="json", include={"seed", "batch_size", "augment", "data"})
    return json.dumps(values, sort_keys=True)


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
    features: RowOutputs,
) -> list[HeadResult]:
    first = jobs[0]
    choice = first.callbacks
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
    )
