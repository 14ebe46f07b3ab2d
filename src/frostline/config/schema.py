"""The typed schema of a run: what conf/ composes, checked before anything heavy is imported.

Defaults live in conf/ alone; the models below only define which keys exist, of which type, and what
is allowed. Code below the commands takes plain values from `Settings`, never the composed config.
The models of the groups that make the recipe are in data_settings.py and recipe.py.
"""

import math
import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from frostline.config.data_settings import DataChoice
from frostline.config.freeze_value import checked_freeze, name_of
from frostline.config.image_size import ImageSize
from frostline.config.own_part import OwnItem, OwnPart
from frostline.config.recipe import (
    AugmentChoice,
    HeadChoice,
    LossChoice,
    LrChoice,
    Mix,
    OptimizerChoice,
    ScheduleChoice,
    Strategy,
)
from frostline.config.search_settings import Search, checked_budget
from frostline.config.strict_model import Count, StrictModel
from frostline.config.tune_settings import TuneSettings

# Groups in which an option may be the user's own code.
OWN_GROUPS = ("augment", "loss", "head", "optimizer")


def better_direction(metric: str) -> Literal["max", "min"]:
    """In which direction a metric improves: losses by falling, all others by rising."""
    return "min" if metric.rpartition("/")[2].endswith("loss") else "max"


class CallbackSettings(StrictModel):
    """Choice of the best epoch, and when to stop."""

    monitor: Literal["val/loss", "val/acc_micro", "val/acc_macro", "val/f1_macro"]
    mode: Literal["max", "min"]
    patience_epochs: Count | None
    csv: bool
    tensorboard: bool
    own: list[OwnItem]
    loggers: list[OwnItem]

    @model_validator(mode="before")
    @classmethod
    def _mode_of_monitor(cls, values: Any) -> Any:
        """Where `mode` is null, the direction in which the metric improves."""
        if isinstance(values, dict) and values.get("mode", "") is None:
            return values | {"mode": better_direction(str(values.get("monitor")))}
        return values


class TrainerSettings(StrictModel):
    """Where and how the arithmetic runs."""

    accelerator: Literal["auto", "cpu", "cuda", "mps"]
    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed", "fastest"]
    strategy: Literal["single", "ddp"]
    devices: Count
    threads: Count | None
    workers: Annotated[int, Field(ge=0)]
    accumulate_grad_batches: Count
    # A user's own file of this group may have been written before there was this key.
    limit_batches: Count | None = None

    @model_validator(mode="after")
    def _one_device_unless_ddp(self) -> "TrainerSettings":
        if self.devices > 1 and self.strategy == "single":
            raise ValueError("trainer.devices > 1 needs trainer=ddp")
        return self


class Evidence(StrictModel):
    """What a run records besides its metrics: see frostline.inference.explain.evidence."""

    name: Literal["full", "light", "off"]


class TrackingSettings(StrictModel):
    """Where runs are recorded."""

    uri: str | None
    experiment: Annotated[str, Field(min_length=1, max_length=500)] | None
    offline: bool
    # A user's own file of this group may have been written before there was this key.
    system_metrics: bool = False


class SweepSettings(StrictModel):
    """What a sweep passes to its jobs."""

    id: str | None
    parent_run_id: str | None
    job_digest: str | None
    data_fingerprint: str | None
    split_digest: str | None
    weights_digest: str | None
    numerics: str | None
    tuning: str | None
    label: str | None
    slots: Count | None
    group: str | None
    sharing: Count
    until_epoch: Annotated[int, Field(ge=0)] | None
    deadline_s: Annotated[float, Field(gt=0.0)] | None
    code: str | None


class PluginSettings(StrictModel):
    """Where a run's own things were found, and the code of an own backbone."""

    folders: list[str]
    backbone: str | None


def _lr(value: Any) -> Any:
    """Accept a rate, or `auto`."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if value != "auto" and not (is_number and 0 < value < math.inf):
        raise ValueError("allowed is auto (each cell's own, tuned) or a finite number above 0")
    return value


def _tags(value: Any) -> Any:
    """Tags of the user's own, as text; none with a name of MLflow's or Frostline's."""
    if not isinstance(value, dict):
        return value
    names = [str(name) for name in value]
    taken = [name for name in names if name.startswith(("mlflow.", "frostline."))]
    wrong = [name for name in names if not re.fullmatch(r"[\w. /-]+", name)]
    if taken or wrong:
        name = (taken + wrong)[0]
        raise ValueError(f"a name of your own, of letters, digits and _ . / -; not {name}")
    return {name: str(one) for name, one in zip(names, value.values(), strict=True)}


class Settings(StrictModel):
    """One run, wholly determined."""

    backbone: Annotated[str, Field(min_length=1)]
    weights: Annotated[str, Field(min_length=1)]
    weights_key: Annotated[str, Field(min_length=1)] | None
    weights_partial: bool
    freeze: Annotated[int | str, BeforeValidator(checked_freeze)]
    lora_rank: Annotated[int, Field(ge=1, le=256)]
    frozen_bn: Literal["eval", "train"]
    ema: Annotated[float, Field(gt=0.0, lt=1.0)] | None
    epochs: Count
    batch_size: Annotated[int, Field(ge=2)]
    lr: Annotated[float | Literal["auto"], BeforeValidator(_lr)]
    image_size: ImageSize
    in_chans: Annotated[int, Field(ge=1, le=64)]
    seed: Annotated[int, Field(ge=0, lt=2**31)]
    order_seed: Annotated[int, Field(ge=0, lt=2**31)] | None
    reuse: Literal["auto", "off"]
    rerun: bool
    report: bool
    dry_run: bool
    fail_fast: Count | None
    tags: Annotated[dict[str, str], BeforeValidator(_tags)]
    register_as: Annotated[str, Field(min_length=1)] | None
    on_oom: Literal["fail", "shrink"]
    data: Annotated[DataChoice, Field(discriminator="source")]
    augment: AugmentChoice
    mix: Mix
    loss: LossChoice
    head: HeadChoice
    schedule: Annotated[ScheduleChoice, Field(discriminator="name")]
    strategy: Strategy
    optimizer: OptimizerChoice
    lr_schedule: Annotated[LrChoice, Field(discriminator="name")]
    tune: TuneSettings
    search: Annotated[Search, Field(discriminator="name")]
    budget: Annotated[str | None, BeforeValidator(checked_budget)]
    callbacks: CallbackSettings
    trainer: TrainerSettings
    evidence: Evidence
    tracking: TrackingSettings
    sweep: SweepSettings
    plugins: PluginSettings

    @property
    def own_parts(self) -> list[OwnPart]:
        """The user's own parts that make up the run, besides an own backbone."""
        parts = (getattr(self, group) for group in OWN_GROUPS)
        return [part for part in (*parts, *self.callbacks.own) if isinstance(part, OwnPart)]

    @property
    def own_code(self) -> str | None:
        """The code of all that is the user's own in the run, in one text; None without any."""
        codes = [f"{part.name} {part.code}" for part in self.own_parts]
        codes += [self.plugins.backbone] if self.plugins.backbone else []
        return ", ".join(codes) or None

    @property
    def is_weights_file(self) -> bool:
        """Whether `weights` is the path of a file."""
        return self.weights not in {"pretrained", "random"}

    @property
    def draws_weights(self) -> bool:
        """Whether the seed draws weights of the backbone, so that each seed has another one."""
        return self.weights == "random" or (self.is_weights_file and self.weights_partial)

    @property
    def batch_seed(self) -> int:
        """The seed of what is in which batch: order, augmentation and mixing of images."""
        return self.seed if self.order_seed is None else self.order_seed

    @property
    def peak_lr(self) -> float:
        """The learning rate as a number: typed, or chosen by tuning.

        Raises:
            ValueError: If it is still to be tuned.
        """
        if self.lr == "auto":
            raise ValueError("lr=auto: the rate has not been chosen yet")
        return self.lr

    @property
    def run_name(self) -> str:
        """The name people see in MLflow, such as `resnet50-freeze2-seed0-lr=0.01`."""
        name = f"{self.backbone}-freeze{name_of(self.freeze)}-seed{self.seed}"
        return f"{name}-{self.sweep.label}" if self.sweep.label else name
