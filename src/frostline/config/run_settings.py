"""The config groups for carrying out and recording a run, independent of its recipe."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from frostline.config.strict_model import Count, StrictModel


class CallbackSettings(StrictModel):
    """Choice of the best epoch, and when to stop."""

    monitor: Literal["val/loss", "val/acc_micro", "val/acc_macro", "val/f1_macro"]
    mode: Literal["max", "min"]
    patience_epochs: Count | None
    csv: bool
    tensorboard: bool


class TrainerSettings(StrictModel):
    """Where and how the arithmetic runs."""

    accelerator: Literal["auto", "cpu", "cuda", "mps"]
    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed", "fastest"]
    strategy: Literal["single", "ddp"]
    devices: Count
    threads: Count | None
    workers: Annotated[int, Field(ge=0)]
    accumulate_grad_batches: Count

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
    experiment: str | None
    offline: bool


class SweepSettings(StrictModel):
    """What a sweep hands to its jobs."""

    id: str | None
    parent_run_id: str | None
    job_digest: str | None
    numerics: str | None
    label: str | None
    slots: Count | None
    group: str | None
    sharing: Count
