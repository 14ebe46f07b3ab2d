"""The stored features that heads of one frozen backbone read, with the batches that need them."""

import json
from collections.abc import Callable, Sequence

from frostline.backbones.compute_mode import ComputeMode
from frostline.config.schema import Settings
from frostline.data.image_datamodule import Batch, ImageDataModule
from frostline.data.order import BatchRows
from frostline.errors import ConfigError
from frostline.features.cost_model import Decision
from frostline.features.feature_datamodule import RowOutputs
from frostline.features.fill import Demand
from frostline.features.prefix_job import PrefixJob
from frostline.features.prefix_outputs import prepare_outputs
from frostline.features.stored_file import StoreFailedError
from frostline.features.view_pairs import needed_batches
from frostline.running_time import running_s
from frostline.training.assembly import Assembly, data_of
from frostline.training.engine import Engine

# `reuse=off` is another job, whose candidates are judged early.
_DO_WITHOUT = (
    "make room (FROSTLINE_FEATURES_GIB is the limit, FROSTLINE_HOME the folder), or give reuse=off"
)


class HeadFeatures:
    """Opens features of the images of several jobs, computing those that are not stored.

    Args:
        parts: Table, backbone and cut, which all heads share.
        engine: Where missing features are computed.
        n_jobs: Jobs that read the features, for the decision on storing them.
        on_progress: Receives `text=`.
        is_needed: Whether features are stored even where computing them again would take less time:
            what a cell chooses must not depend on that.

    Attributes:
        decision: Why they were stored.
        seconds: What opening them has taken so far, computing missing ones included.
    """

    decision: Decision
    seconds: float = 0.0
    _rows: RowOutputs

    def __init__(
        self,
        parts: Assembly,
        engine: Engine,
        n_jobs: int,
        on_progress: Callable[..., None],
        *,
        is_needed: bool,
    ) -> None:
        self._parts = parts
        self._engine = engine
        self._n_jobs = n_jobs
        self._on_progress = on_progress
        self._is_needed = is_needed
        self._data = {_data_key(parts.settings): parts.data}

    def __getitem__(self, rows: BatchRows) -> Batch:
        """Features and labels of rows in views that have been opened."""
        return self._rows[rows]

    def data_of(self, job: Settings) -> ImageDataModule:
        """A job's images by split, the same module for jobs that see the same batches of images."""
        key = _data_key(job)
        if key not in self._data:
            self._data[key] = data_of(job, self._parts.table, self._parts.backbone)
        return self._data[key]

    def training_batches(self, jobs: Sequence[Settings]) -> list[BatchRows]:
        """The batches on which jobs train, in the longest of the schedules that they share."""
        longest: dict[str, int] = {}
        for job in jobs:
            self.data_of(job)
            longest[_data_key(job)] = max(job.epochs, longest.get(_data_key(job), 0))
        return [
            batch
            for key, epochs in longest.items()
            for batch in needed_batches(self._data[key].sampler("train", training=True), epochs, [])
        ]

    def open(self, jobs: Sequence[Settings], training: Sequence[BatchRows]) -> None:
        """Open the features of training batches, and of the jobs' validation and test images.

        Raises:
            ConfigError: If stored features cannot be used here.
        """
        begun_s = running_s()
        first, data = jobs[0], self.data_of(jobs[0])
        needed = list(training)
        for module in {_data_key(job): self.data_of(job) for job in jobs}.values():
            for split in ("val", "test"):
                needed += module.sampler(split, training=False)
        mode = ComputeMode(self._engine.precision)
        accelerator = self._engine.accelerator
        # The backbone and the cut are shared; so are the images' table and how they are prepared.
        prefix = PrefixJob(self._parts.backbone, self._parts.cut, data, accelerator, mode, mode)
        sizes = {split: len(rows) for split, rows in data.splits.named().items()}
        passes = first.epochs * (sizes["train"] + sizes["val"]) + sizes["val"] + sizes["test"]
        demand = Demand(
            passes,
            jobs=max(self._n_jobs, len(jobs)),
            on_accelerator=accelerator != "cpu",
            is_needed=self._is_needed,
        )
        try:
            outputs, decision, _ = prepare_outputs(prefix, needed, demand, self._on_progress)
        except StoreFailedError as failure:
            raise ConfigError(
                f"the store of prefix outputs cannot be written: {failure}", todo=_DO_WITHOUT
            ) from None
        if outputs is None:
            raise ConfigError(f"features are not stored: {decision.reason}", todo=_DO_WITHOUT)
        self._rows = RowOutputs(outputs, self._parts.table.labels)
        self.decision = decision
        self.seconds += running_s() - begun_s


def _data_key(job: Settings) -> str:
    """What a job's batches of images depend on, within a group."""
    keys = {"seed", "order_seed", "batch_size", "augment", "data"}
    values = job.model_dump(mode="json", include=keys)
    return json.dumps(values, sort_keys=True)
