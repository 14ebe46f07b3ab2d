"""Jobs that train only a head on the same frozen backbone: one pass, one matrix product for all.

`frostline.training.group_key` says which planned jobs may go together. Each job of the group leaves
what it would have left had it been trained by itself.
"""

import json
import time
from collections.abc import Callable, Sequence

from torch import nn

from frostline.backbones.compute_mode import ComputeMode
from frostline.backbones.state_digest import digest_of
from frostline.config.schema import Settings
from frostline.data.image_datamodule import ImageDataModule
from frostline.errors import ConfigError
from frostline.features.cost_model import Decision
from frostline.features.feature_datamodule import RowOutputs
from frostline.features.fill import Demand
from frostline.features.prefix_outputs import PrefixJob, prepare_outputs
from frostline.features.stored_file import StoreFailedError
from frostline.features.stored_outputs import StoredOutputs
from frostline.features.view_pairs import needed_batches
from frostline.training.assembly import (
    Assembly,
    assemble,
    class_weights_of,
    data_of,
    head_lr_of,
    head_of,
)
from frostline.training.engine import Engine, choose_engine, prepare_process
from frostline.training.head_training import Choice, HeadJob, HeadResult, train_heads
from frostline.training.trained_group import GroupMember, HeadGroup

# Heads that differ in none of these see the same batches.
SAME_BATCHES = ("seed", "epochs", "batch_size", "augment", "loss", "head", "callbacks")


def train_head_group(jobs: Sequence[Settings], *, on_progress: Callable[..., None]) -> HeadGroup:
    """Train the heads of jobs that have one `group_key`.

    Args:
        jobs: Their settings.
        on_progress: Receives `text=` and `done=` (0 to 1, over the whole group).

    Raises:
        ConfigError: If stored features cannot be used here; the jobs can be run one by one.
    """
    begun_s = time.monotonic()
    first = jobs[0]
    prepare_process(first.trainer.threads)
    engine = choose_engine(first.trainer)
    if (engine.accelerator, engine.precision) != ("cpu", "32-true"):
        raise ConfigError("heads train together on the CPU in float32 alone")
    parts = assemble(first, on_progress)
    frozen_before = digest_of(parts.cut.frozen_modules)
    data = [parts.data, *(data_of(job, parts.table, parts.backbone) for job in jobs[1:])]
    outputs, decision = _stored_features(jobs, parts, data, engine, on_progress)
    features = RowOutputs(outputs, parts.table.labels)
    widths = parts.cut.num_features, len(parts.table.classes)
    heads = [parts.head, *(head_of(job, *widths) for job in jobs[1:])]
    results: dict[int, HeadResult] = {}
    sets = _with_same_batches(jobs)
    for number, places in enumerate(sets):
        trained = _train(
            [jobs[place] for place in places],
            [heads[place] for place in places],
            data[places[0]],
            features,
        )
        results |= dict(zip(places, trained, strict=True))
        on_progress(done=(number + 1) / len(sets))
    for place, head in enumerate(heads):
        if results[place].best_epoch >= 0:
            head.load_state_dict(results[place].best_state)
            head.eval()
    members = [
        GroupMember(job, data[place], heads[place], results[place])
        for place, job in enumerate(jobs)
    ]
    seconds = time.monotonic() - begun_s
    return HeadGroup(parts, engine, decision, features, frozen_before, members, seconds)


def _stored_features(
    jobs: Sequence[Settings],
    parts: Assembly,
    data: Sequence[ImageDataModule],
    engine: Engine,
    on_progress: Callable[..., None],
) -> tuple[StoredOutputs, Decision]:
    """The features that all jobs will read, computed now where they are not stored."""
    first = jobs[0]
    needed = [
        batch
        for job, module in zip(jobs, data, strict=True)
        for batch in needed_batches(
            module.sampler("train", training=True),
            job.epochs,
            [module.sampler(split, training=False) for split in ("val", "test")],
        )
    ]
    mode = ComputeMode(engine.precision)
    prefix = PrefixJob(
        parts.backbone,
        parts.cut,
        data[0],
        engine.accelerator,
        mode,
        mode,
    )
    sizes = {split: len(rows) for split, rows in data[0].splits.named().items()}
    passes = first.epochs * (sizes["train"] + sizes["val"]) + sizes["val"] + sizes["test"]
    demand = Demand(passes, jobs=len(jobs), on_accelerator=False)
    try:
        outputs, decision, _ = prepare_outputs(prefix, needed, demand, on_progress)
    except StoreFailedError as failure:
        raise ConfigError(f"the store of prefix outputs cannot be written: {failure}") from None
    if outputs is None:
        raise ConfigError(f"features are not stored: {decision.reason}")
    return outputs, decision


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
