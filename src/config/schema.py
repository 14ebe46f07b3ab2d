"""The typed schema of a run: what conf/ composes, checked before anything heavy is imported.

Defaults live in conf/ alone; the models below only say which keys exist, of which type, and what is
allowed. Everything under train.py takes plain values out of `Settings`, never the composed config.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
PositiveFraction = Annotated[float, Field(gt=0.0, le=1.0)]
Count = Annotated[int, Field(ge=1)]


def _freeze(value: Any) -> Any:
    """Let through what can be a depth; which depths a backbone has is known later."""
    is_depth = isinstance(value, int) and not isinstance(value, bool)
    if not is_depth and not (isinstance(value, str) and value.strip()):
        raise ValueError(
            "allowed is 0 .. number of stages, -1 (all but the last) and so on, all, or a module "
            "path such as layer3.2"
        )
    return value


class Group(BaseModel):
    """A node of the config: unknown keys are refused, values stay as they were typed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DataSettings(Group):
    """What every data source has: how images are split, drawn and kept."""

    val_frac: Annotated[float, Field(gt=0.0, lt=1.0)]
    test_frac: Annotated[float, Field(gt=0.0, lt=1.0)]
    split_seed: int | None
    split_file: str | None
    folds: Annotated[int, Field(ge=3)] | None
    fold: Annotated[int, Field(ge=0)]
    missing_class: Literal["error", "allow"]
    fraction: PositiveFraction
    sampling: Literal["natural", "balanced"]
    memory_gib: Annotated[float, Field(gt=0)]


class FileData(DataSettings):
    """What every source of image files has."""

    path: str
    on_bad_image: Literal["error", "skip"]
    group_by: str | None
    names: str | None
    rename: dict[str, str] | None


class LeavesData(DataSettings):
    """The built-in drawings."""

    source: Literal["leaves"]
    n_images: Count
    size_px: Annotated[int, Field(ge=16, le=1024)]
    n_species: Count
    n_conditions: Annotated[int, Field(ge=1, le=5)]
    photos_per_leaf: Count
    variant: Literal["color", "grayscale", "segmented"]
    background: Literal["lab", "field"]
    imbalance: Annotated[float, Field(ge=1.0)]
    shortcut: Fraction
    leak: Fraction
    split_by: Literal["leaf", "photo"]
    test_images: Annotated[int, Field(ge=0)]
    test_background: Literal["lab", "field"] | None
    draw_seed: int


class FolderData(FileData):
    """ROOT/class/..., or ROOT/{train,val,test}/class/..."""

    source: Literal["folder"]
    label_pattern: str | None


class ArchiveData(FileData):
    """A .zip or .tar that holds such a folder."""

    source: Literal["archive"]
    label_pattern: str | None


class CsvData(FileData):
    """A table of images and labels."""

    source: Literal["csv"]
    images: str | None
    image_column: str | None
    label_column: str | list[str] | None
    split_column: str | None
    label_names: str | None


class HubData(FileData):
    """A data set in the format of Hugging Face `datasets`."""

    source: Literal["hub"]
    config: str | None
    revision: str | None
    image_column: str | None
    label_column: str | None


DataChoice = LeavesData | FolderData | ArchiveData | CsvData | HubData


class Augment(Group):
    """The named recipe for training images."""

    name: Literal[
        "none", "flip", "dihedral", "crop", "crop_always", "trivial", "randaugment", "color"
    ]


class Mix(Group):
    """Mixing of images and labels within a batch."""

    name: Literal["none", "mixup", "cutmix"]
    alpha: Annotated[float, Field(gt=0.0)]


class CrossEntropy(Group):
    """Cross-entropy, smoothed and weighted by class on request."""

    name: Literal["cross_entropy"]
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)]
    class_weights: Fraction


class FocalLoss(Group):
    """Cross-entropy that turns away from what is learnt already."""

    name: Literal["focal"]
    gamma: Annotated[float, Field(ge=0.0)]
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)]
    class_weights: Fraction


class LinearHead(Group):
    """Pooling and one linear layer."""

    name: Literal["linear"]
    pool: Literal["avg", "max", "flatten"]
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)]


class MlpHead(Group):
    """Pooling, one hidden layer, one linear layer."""

    name: Literal["mlp"]
    pool: Literal["avg", "max", "flatten"]
    hidden: Count
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)]
    batch_norm: bool


class ConstantSchedule(Group):
    """The same depth in every epoch."""

    name: Literal["constant"]


class HeadFirst(Group):
    """The head alone at first, then the chosen depth with a lower learning rate."""

    name: Literal["head_first"]
    head_epochs: Count
    lr_factor: Annotated[float, Field(gt=0.0)]
    thawed_bn: Literal["eval", "train"]


class Gradual(Group):
    """The head alone at first, then one stage more every so many epochs, from the top."""

    name: Literal["gradual"]
    every_epochs: Count
    lr_factor: Annotated[float, Field(gt=0.0)]
    thawed_bn: Literal["eval", "train"]


ScheduleChoice = ConstantSchedule | HeadFirst | Gradual


class Strategy(Group):
    """The named strategy that set other keys; a file of conf/strategy, so people may add theirs."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_/-]+$")]
    choice: str | None
    reason: str
    source: str
    typed: list[str] | None

    @property
    def asks_for_choice(self) -> bool:
        """Whether the data must be measured before anything else is known."""
        return self.name == "auto" and self.choice is None

    @property
    def in_force(self) -> str:
        """The file of conf/strategy whose values hold."""
        return self.choice or self.name


class AdamW(Group):
    """Adam with decoupled weight decay."""

    name: Literal["adamw"]
    weight_decay: Annotated[float, Field(ge=0.0)]
    layer_decay: PositiveFraction


class Adam(Group):
    """Adam."""

    name: Literal["adam"]
    weight_decay: Annotated[float, Field(ge=0.0)]
    layer_decay: PositiveFraction


class Sgd(Group):
    """Stochastic gradient descent with momentum."""

    name: Literal["sgd"]
    weight_decay: Annotated[float, Field(ge=0.0)]
    layer_decay: PositiveFraction
    momentum: Annotated[float, Field(ge=0.0, lt=1.0)]


OptimizerChoice = AdamW | Adam | Sgd


class WarmedUp(Group):
    """What every learning rate schedule has."""

    warmup_frac: Annotated[float, Field(ge=0.0, lt=1.0)]


class CosineLr(WarmedUp):
    """Warm-up, then half a cosine down to zero."""

    name: Literal["cosine"]


class ConstantLr(WarmedUp):
    """One learning rate throughout."""

    name: Literal["constant"]


class StepLr(WarmedUp):
    """Times gamma every so many epochs."""

    name: Literal["step"]
    every_epochs: Count
    gamma: Annotated[float, Field(gt=0.0)]


class PlateauLr(WarmedUp):
    """Times a factor whenever the monitored metric has not improved for a while."""

    name: Literal["plateau"]
    factor: Annotated[float, Field(gt=0.0, lt=1.0)]
    patience_epochs: Annotated[int, Field(ge=0)]
    min_lr: Annotated[float, Field(ge=0.0)]


LrChoice = CosineLr | ConstantLr | StepLr | PlateauLr


class CallbackSettings(Group):
    """Choice of the best epoch, and when to stop."""

    monitor: Literal["val/loss", "val/acc_micro", "val/acc_macro", "val/f1_macro"]
    mode: Literal["max", "min"]
    patience_epochs: Count | None
    csv: bool
    tensorboard: bool


class TrainerSettings(Group):
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


class Evidence(Group):
    """What a run leaves besides its figures: see src.explain.evidence."""

    name: Literal["full", "light", "off"]


class TrackingSettings(Group):
    """Where runs are recorded."""

    uri: str | None
    experiment: str | None
    offline: bool


class SweepSettings(Group):
    """What a sweep tells its jobs."""

    id: str | None
    parent_run_id: str | None
    job_digest: str | None
    slots: Count | None
    group: str | None
    sharing: Count


class Settings(Group):
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
        """The name people see in MLflow, such as `resnet50-freeze2-seed0`."""
        return f"{self.backbone}-freeze{self.freeze}-seed{self.seed}"
