"""A trained group of heads: what each of its jobs records, as if it had been trained by itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from frostline.backbones.compute_mode import ComputeMode
from frostline.backbones.state_digest import digest_of
from frostline.config.schema import Settings
from frostline.running_time import running_s
from frostline.training.assembly import Assembly
from frostline.training.callbacks import FrozenMovedError
from frostline.training.checkpoint import save_checkpoint
from frostline.training.engine import Engine
from frostline.training.head_pool import HeadPool, TrainedHead
from frostline.training.learning_rates import lr_factor
from frostline.training.phase import engine_text
from frostline.training.recorder import RunRecorder, TrainedRun
from frostline.training.schedule import Phase, phases_of
from frostline.training.split_evaluation import score_and_write
from frostline.training.task import TrainingDivergedError
from frostline.training.tuning_choice import Tuning

TO_THEIR_END = "all candidates to their end, the schedule doubled while that lowers the loss"


@dataclass(frozen=True)
class GroupMember:
    """One job of a group.

    Attributes:
        head: Its trained head; None if no value of its cell could be chosen.
        tuning: What its cell chose; None for a job that does not tune.
        is_payer: Whether the candidates of its cell were trained for it.
        failure: Why it has no head.
    """

    head: TrainedHead | None
    tuning: Tuning | None = None
    is_payer: bool = False
    failure: TrainingDivergedError | None = None


@dataclass(frozen=True)
class HeadGroup:
    """Trained heads with what they share.

    Attributes:
        parts: Table, backbone and cut, built from the first job.
        engine: Where they were trained.
        pool: Reads their stored features.
        frozen_before: Digest of the frozen stages before the features were computed.
        members: One for each of the settings, in their order.
        seconds: How long the group took, without what was tuned.
        shared_s: The part of it that each job would have needed by itself: backbone and features.
    """

    parts: Assembly
    engine: Engine
    pool: HeadPool
    frozen_before: str
    members: Sequence[GroupMember]
    seconds: float
    shared_s: float

    def finish(self, number: int, folder: Path, recorder: RunRecorder) -> TrainedRun:
        """Record one job's training and evaluate its chosen head.

        Args:
            number: The job's place in the group.
            folder: Its output folder.
            recorder: Writes its record.

        Raises:
            TrainingDivergedError: If its loss became NaN or infinite.
            FrozenMovedError: If a frozen stage changed.
        """
        member = self.members[number]
        if member.head is None:
            assert member.failure is not None
            raise member.failure
        folder.mkdir(parents=True, exist_ok=True)
        with recorder.batched():
            if member.tuning is not None:
                recorder.record_tuning(member.tuning, how=TO_THEIR_END)
            self._record_training(member.head, recorder)
        if member.head.result.diverged:
            epoch = len(member.head.result.history)
            raise TrainingDivergedError(
                f"the training loss was not finite any more in epoch {epoch}",
                todo="lower lr",
            )
        recorder.record_frozen(self._frozen_digest)
        trained = self._evaluate(member.head, folder)
        return replace(trained, metrics=self._with_times(member, trained.metrics))

    def _with_times(self, member: GroupMember, metrics: Mapping[str, float]) -> dict[str, float]:
        """Add a job's share of the group's time, what it takes alone, and what its tuning took."""
        assert member.head is not None
        own_s = metrics["time/train_s"]
        seconds = own_s + self.seconds / len(self.members)
        alone_s = own_s + self.shared_s + member.head.seconds
        times = {}
        if member.is_payer and member.tuning is not None:
            seconds += member.tuning.best.seconds
            alone_s = own_s + self.shared_s + member.tuning.best.seconds
            times["time/tune_s"] = member.tuning.lost_s
        return {**metrics, **times, "time/train_s": seconds, "time/alone_s": alone_s}

    def _record_training(self, member: TrainedHead, recorder: RunRecorder) -> None:
        settings, parts = member.settings, self.parts
        recorder.record_parts(
            backbone=parts.backbone,
            cut=parts.cut,
            phases=_phases(settings, parts),
            table=parts.table,
            splits=member.data.splits,
            trainable_params=sum(parameter.numel() for parameter in member.module.parameters()),
        )
        mode = ComputeMode(self.engine.precision)
        recorder.record_phase(
            engine=engine_text(self.engine, forward=mode, training=mode),
            reuse=f"{self.pool.features.decision}; {len(self.members)} heads trained together",
        )
        steps = member.steps_per_epoch
        factor = lr_factor(
            settings.lr_schedule, total_steps=steps * settings.epochs, steps_per_epoch=steps
        )
        frozen = {"train/frozen_stages": float(parts.cut.depth.frozen_stages)}
        for epoch, metrics in enumerate(member.result.history):
            rate = {"lr": settings.peak_lr * factor(epoch * steps)}
            recorder.record_epoch(metrics | rate | frozen, epoch)

    @cached_property
    def _frozen_digest(self) -> str:
        digest = digest_of(self.parts.cut.frozen_modules)
        if digest != self.frozen_before:
            raise FrozenMovedError(
                "a frozen stage changed while heads were trained on its outputs",
                todo="please report the backbone, the freeze value and the versions",
            )
        return digest

    def _evaluate(self, member: TrainedHead, folder: Path) -> TrainedRun:
        begun_s = running_s()
        checkpoint = folder / "best.ckpt"
        save_checkpoint(self._checkpoint(member), checkpoint)
        metrics: dict[str, float] = {}
        for split, prefix in (("val", "val_best"), ("test", "test")):
            batches = [
                self.pool.features[rows] for rows in member.data.sampler(split, training=False)
            ]
            scores = score_and_write(
                self.pool.logits_of(member.module, batches),
                torch.cat([batch.labels for batch in batches]),
                torch.cat([batch.items for batch in batches]),
                self.parts.table,
                folder / "predictions" / f"{split}.parquet",
            )
            metrics |= {f"{prefix}/{name}": value for name, value in scores.items()}
        own_s = running_s() - begun_s
        # A head that was solved has no epochs.
        if member.result.best_epoch >= 0:
            metrics["val_best/epoch"] = float(member.result.best_epoch)
        return TrainedRun(
            metrics=metrics | {"time/train_s": own_s},
            step=len(member.result.history),
            table=self.parts.table,
            data=member.data,
            backbone=self.parts.backbone,
            head=member.module,
            engine=self.engine,
            history=_by_metric(member.result.history),
            predictions=folder / "predictions",
            checkpoint=checkpoint,
            logs=folder / "logs",
        )

    def _checkpoint(self, member: TrainedHead) -> dict[str, Any]:
        """The chosen weights as Lightning's `save_weights_only` writes them."""
        backbone, result = self.parts.backbone, member.result
        state: dict[str, Tensor] = {
            **{f"backbone.{name}": value for name, value in backbone.state_dict().items()},
            **{f"head.{name}": value for name, value in result.best_state.items()},
        }
        return {
            "epoch": result.best_epoch,
            "global_step": (result.best_epoch + 1) * member.steps_per_epoch,
            "pytorch-lightning_version": version("pytorch-lightning"),
            "state_dict": state,
        }


def _phases(settings: Settings, parts: Assembly) -> tuple[Phase, ...]:
    return phases_of(
        settings.schedule,
        freeze=settings.freeze,
        prefix_stages=parts.cut.depth.prefix_stages,
        num_stages=parts.cut.depth.num_stages,
        epochs=settings.epochs,
    )


def _by_metric(history: Sequence[dict[str, float]]) -> dict[str, dict[int, float]]:
    """Metrics of each epoch, turned round: metric to its value at each epoch."""
    by_metric: dict[str, dict[int, float]] = {}
    for epoch, metrics in enumerate(history):
        for name, value in metrics.items():
            by_metric.setdefault(name, {})[epoch] = value
    return by_metric
