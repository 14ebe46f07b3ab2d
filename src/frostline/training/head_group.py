"""Jobs of a sweep that train heads on the same frozen backbone: one process, one pass, one product.

The seam for the sweep: `group_key` says which planned jobs may go together, `run_head_group` gives
for each of them what a job of its own would have reported.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from frostline.config.schema import Settings

if TYPE_CHECKING:
    from torch import Tensor, nn

    from frostline.backbones.build import Backbone
    from frostline.backbones.split.cut import Cut
    from frostline.data.image_datamodule import ImageDataModule
    from frostline.data.sample_table import SampleTable
    from frostline.features.cost_model import Decision
    from frostline.features.feature_datamodule import RowOutputs
    from frostline.training.batched_heads import HeadResult

TOGETHER = ("seed", "epochs", "batch_size", "augment", "loss", "head", "callbacks")


@dataclass(frozen=True)
class SplitLogits:
    """What a head says of one split, in table order.

    Attributes:
        logits: (N, K) float32.
        labels: (N,) int64.
        items: (N,) int64 rows of the table.
    """

    logits: "Tensor"
    labels: "Tensor"
    items: "Tensor"


@dataclass(frozen=True)
class GroupedJob:
    """What one job of a group came to.

    Attributes:
        history: Metrics of each epoch, by their fixed names; the step is the place in the list.
        best_epoch: 0-based; -1 if the loss diverged in the first epoch.
        diverged: Whether the loss became NaN or infinite; the job then counts as failed.
        head_state: The head's state dict at the best epoch.
        val: Predictions of the chosen head.
        test: The same.
        figures: `val_best/...` and `test/...`.
    """

    history: list[dict[str, float]]
    best_epoch: int
    diverged: bool
    head_state: "dict[str, Tensor]"
    val: SplitLogits | None
    test: SplitLogits | None
    figures: dict[str, float]


@dataclass(frozen=True)
class GroupOutcome:
    """What a group came to, with what its jobs have in common, for their records.

    Attributes:
        jobs: One for each of the settings, in their order.
        table: The images.
        backbone: The frozen backbone.
        parts: Its cut.
        data: For each job its data module, which holds its splits.
        decision: Why features were stored.
        heads: The trained heads, with the chosen weights.
        frozen_before: Digest of the backbone before the features were computed.
    """

    jobs: list[GroupedJob]
    table: "SampleTable"
    backbone: "Backbone"
    parts: "Cut"
    data: "list[ImageDataModule]"
    decision: "Decision"
    heads: "list[nn.Sequential]"
    frozen_before: str

    def trainable_params(self, job: int) -> int:
        """How many parameters of one job trained."""
        return sum(parameter.numel() for parameter in self.heads[job].parameters())

    def steps_per_epoch(self, job: int) -> int:
        """Batches of one job's training split."""
        return len(self.data[job].sampler("train", training=True))

    def frozen_digest(self) -> str:
        """The digest of the frozen stages now.

        Raises:
            FrozenMovedError: If it is not what it was before.
        """
        from frostline.backbones.freezing import digest_of
        from frostline.training.callbacks import FrozenMovedError

        digest = digest_of(self.parts.frozen_modules)
        if digest != self.frozen_before:
            raise FrozenMovedError(
                "a frozen stage changed while heads were trained on its outputs",
                todo="please report the backbone, the freeze value and the versions",
            )
        return digest

    def task_state(self, job: int) -> "dict[str, Tensor]":
        """What a checkpoint of one job holds: the state dict of its `ClassificationTask`."""
        state = {f"backbone.{name}": value for name, value in self.backbone.state_dict().items()}
        return state | {f"head.{name}": value for name, value in self.jobs[job].head_state.items()}


def run_head_group(jobs: Sequence[Settings], *, on_progress: Callable[..., None]) -> GroupOutcome:
    """Train the heads of jobs that have one `group_key`.

    Args:
        jobs: Their settings.
        on_progress: Receives `text=` and `done=` (0 to 1, over the whole group).

    Raises:
        ConfigError: If the store of features cannot be used here; the jobs can be run alone.
    """
    from frostline.backbones.compute_mode import ComputeMode
    from frostline.backbones.freezing import digest_of
    from frostline.errors import ConfigError
    from frostline.features.feature_datamodule import RowOutputs
    from frostline.features.fill import Demand
    from frostline.features.reuse import PrefixJob, stored_outputs
    from frostline.features.stored_file import StoreFailedError
    from frostline.features.view_pairs import needed_batches
    from frostline.training.assembly import assemble, data_of, head_of
    from frostline.training.engine import choose_engine, prepare_cpu

    first = jobs[0]
    prepare_cpu(first.trainer.threads)
    engine = choose_engine(first.trainer)
    if (engine.accelerator, engine.precision) != ("cpu", "32-true"):
        raise ConfigError("heads train together on the CPU in float32 alone")
    made = assemble(first, on_progress)
    table, backbone, parts = made.table, made.backbone, made.parts
    frozen_before = digest_of(parts.frozen_modules)
    data = [made.data, *(data_of(settings, table, backbone) for settings in jobs[1:])]
    needed = [
        batch
        for settings, module in zip(jobs, data, strict=True)
        for batch in needed_batches(
            module.sampler("train", training=True),
            settings.epochs,
            [module.sampler(split, training=False) for split in ("val", "test")],
        )
    ]
    way = ComputeMode(engine.precision)
    prefix = PrefixJob(
        backbone, parts, data[0], first.freeze, first.head.pool, engine.accelerator, way, way
    )
    sizes = {split: len(rows) for split, rows in data[0].splits.named().items()}
    passes = first.epochs * (sizes["train"] + sizes["val"]) + sizes["val"] + sizes["test"]
    demand = Demand(passes, jobs=len(jobs), on_accelerator=False)
    try:
        outputs, decision, _ = stored_outputs(prefix, needed, demand, on_progress)
    except StoreFailedError as failure:
        raise ConfigError(f"the store of prefix outputs cannot be written: {failure}") from None
    if outputs is None:
        raise ConfigError(f"features are not kept: {decision.reason}")
    read = RowOutputs(outputs, table.labels)
    results: dict[int, GroupedJob] = {}
    widths = parts.num_features, len(table.classes)
    all_heads = [made.head, *(head_of(settings, *widths) for settings in jobs[1:])]
    together = _together(jobs)
    for number, members in enumerate(together):
        heads = [all_heads[member] for member in members]
        trained = _train([jobs[member] for member in members], heads, data[members[0]], read)
        for member, head, result in zip(members, heads, trained, strict=True):
            results[member] = _finished(head, result, data[member], read)
        on_progress(done=(number + 1) / len(together))
    ordered = [results[place] for place in range(len(jobs))]
    return GroupOutcome(ordered, table, backbone, parts, data, decision, all_heads, frozen_before)


def _together(jobs: Sequence[Settings]) -> list[list[int]]:
    """The jobs that see the same batches and have heads of one structure, by place."""
    sets: dict[str, list[int]] = {}
    for place, settings in enumerate(jobs):
        values = settings.model_dump(mode="json", include=set(TOGETHER))
        kind = json.dumps(values | {"optimizer": settings.optimizer.name}, sort_keys=True)
        sets.setdefault(kind, []).append(place)
    return list(sets.values())


def _train(
    jobs: Sequence[Settings],
    heads: "Sequence[nn.Sequential]",
    data: "ImageDataModule",
    read: "RowOutputs",
) -> "list[HeadResult]":
    from frostline.training.assembly import class_weights_of
    from frostline.training.batched_heads import Choice, HeadJob, train_heads

    first = jobs[0]
    return train_heads(
        [
            HeadJob(head, settings.lr, settings.optimizer, settings.lr_schedule)
            for head, settings in zip(heads, jobs, strict=True)
        ],
        read.__getitem__,
        data.sampler("train", training=True),
        data.sampler("val", training=False),
        seed=first.seed,
        epochs=first.epochs,
        loss=first.loss,
        class_weights=class_weights_of(first, data),
        choice=Choice(
            first.callbacks.monitor, first.callbacks.mode, first.callbacks.patience_epochs
        ),
        on_progress=lambda **_: None,
    )


def _finished(
    head: "nn.Sequential", result: "HeadResult", data: "ImageDataModule", read: "RowOutputs"
) -> GroupedJob:
    """The chosen head judged on validation and test."""
    import torch

    from frostline.training.metrics import classification_metrics

    splits: dict[str, SplitLogits] = {}
    figures: dict[str, float] = {}
    if result.best_epoch >= 0 and not result.diverged:
        head.load_state_dict(result.best_state)
        head.eval()
        for split, prefix in (("val", "val_best"), ("test", "test")):
            batches = [read[rows] for rows in data.sampler(split, training=False)]
            with torch.inference_mode():
                logits = torch.cat([head(batch.inputs) for batch in batches])
            labels = torch.cat([batch.labels for batch in batches])
            items = torch.cat([batch.items for batch in batches])
            splits[split] = SplitLogits(logits, labels, items)
            scores = classification_metrics(logits, labels)
            figures |= {f"{prefix}/{name}": value for name, value in scores.items()}
    return GroupedJob(
        result.history,
        result.best_epoch,
        result.diverged,
        result.best_state,
        splits.get("val"),
        splits.get("test"),
        figures,
    )
