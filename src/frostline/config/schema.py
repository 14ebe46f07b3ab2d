"""The typed schema of a run: what conf/ composes, checked before anything heavy is imported.

Defaults live in conf/ alone; the models below only say which keys exist, of which type, and what is
allowed. Everything under train.py takes plain values out of `Settings`, never the composed config.
The models of its groups are in data_settings.py, recipe.py and run_settings.py.
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from frostline.config.data_settings import DataChoice
from frostline.config.recipe import (
    Augment,
    CrossEntropy,
    FocalLoss,
    LinearHead,
    LrChoice,
    Mix,
    MlpHead,
    OptimizerChoice,
    ScheduleChoice,
    Strategy,
)
from frostline.config.run_settings import (
    CallbackSettings,
    Evidence,
    SweepSettings,
    TrackingSettings,
    TrainerSettings,
)
from frostline.config.strict_model import Count, StrictModel


def _freeze(value: Any) -> Any:
    """Accept what can be a depth; which depths a backbone has is checked later."""
    is_depth = isinstance(value, int) and not isinstance(value, bool)
    if not is_depth and not (isinstance(value, str) and value.strip()):
        raise ValueError(
            "allowed is 0 .. number of stages, -1 (all but the last) and so on, all, or a module "
            "path such as layer3.2"
        )
    return value


class Settings(StrictModel):
    """One run, wholly determined."""

    backbone: Annotated[str, Field(min_length=1)]
    weights: Annotated[str, Field(min_length=1)]
    freeze: Annotated[int | str, BeforeValidator(_freeze)]
    frozen_bn: Literal["eval", "train"]
    epochs: Count
    batch_size: Annotated[int, Field(ge=2)]
    lr: Annotated[float, Field(gt=0.0)]
    image_size: Annotated[int, Field(ge=8)] | None
    seed: Annotated[int, Field(ge=0, lt=2**31)]
    reuse: Literal["auto", "off"]
    rerun: bool
    report: bool
    dry_run: bool
    fail_fast: Count | None
    on_oom: Literal["fail", "shrink"]
    data: Annotated[DataChoice, Field(discriminator="source")]
    augment: Augment
    mix: Mix
    loss: Annotated[CrossEntropy | FocalLoss, Field(discriminator="name")]
    head: Annotated[LinearHead | MlpHead, Field(discriminator="name")]
    schedule: Annotated[ScheduleChoice, Field(discriminator="name")]
    strategy: Strategy
    optimizer: Annotated[OptimizerChoice, Field(discriminator="name")]
    lr_schedule: Annotated[LrChoice, Field(discriminator="name")]
    callbacks: CallbackSettings
    trainer: TrainerSettings
    evidence: Evidence
    tracking: TrackingSettings
    sweep: SweepSettings

    @property
    def run_name(self) -> str:
        """The name people see in MLflow, such as `resnet50-freeze2-seed0-lr=0.01`."""
        name = f"{self.backbone}-freeze{self.freeze}-seed{self.seed}"
        return f"{name}-{self.sweep.label}" if self.sweep.label else name
