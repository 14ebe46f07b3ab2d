"""The config groups that make up the recipe: augmentation, loss, head, schedule, optimizer."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from frostline.config.own_part import OwnAugment, OwnHead, OwnLoss, OwnOptimizer, own_or_named
from frostline.config.strict_model import Count, Fraction, PositiveFraction, StrictModel


class Augment(StrictModel):
    """The named recipe for training images."""

    name: Literal[
        "none", "flip", "dihedral", "crop", "crop_always", "trivial", "randaugment", "color"
    ]


AugmentChoice = Annotated[
    Annotated[Augment, Tag("named")] | Annotated[OwnAugment, Tag("own")],
    Discriminator(own_or_named),
]


class Mix(StrictModel):
    """Mixing of images and labels within a batch."""

    name: Literal["none", "mixup", "cutmix"]
    alpha: Annotated[float, Field(gt=0.0)]


class CrossEntropy(StrictModel):
    """Cross-entropy, smoothed and weighted by class on request."""

    name: Literal["cross_entropy"]
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)]
    class_weights: Fraction


class FocalLoss(StrictModel):
    """Cross-entropy that weights down what is already classified well."""

    name: Literal["focal"]
    gamma: Annotated[float, Field(ge=0.0)]
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)]
    class_weights: Fraction


LossChoice = Annotated[
    Annotated[CrossEntropy | FocalLoss, Field(discriminator="name"), Tag("named")]
    | Annotated[OwnLoss, Tag("own")],
    Discriminator(own_or_named),
]


class LinearHead(StrictModel):
    """Pooling and one linear layer."""

    name: Literal["linear"]
    pool: Literal["avg", "max", "flatten"]
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)]


class MlpHead(StrictModel):
    """Pooling, one hidden layer, one linear layer."""

    name: Literal["mlp"]
    pool: Literal["avg", "max", "flatten"]
    hidden: Count
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)]
    batch_norm: bool


HeadChoice = Annotated[
    Annotated[LinearHead | MlpHead, Field(discriminator="name"), Tag("named")]
    | Annotated[OwnHead, Tag("own")],
    Discriminator(own_or_named),
]


class ConstantSchedule(StrictModel):
    """The same depth in every epoch."""

    name: Literal["constant"]


class HeadFirst(StrictModel):
    """The head alone at first, then the chosen depth with a lower learning rate."""

    name: Literal["head_first"]
    head_epochs: Count
    # A user's own file of this group may have been written before there was this key.
    patience_epochs: Count | None = None
    lr_factor: Annotated[float, Field(gt=0.0)]
    thawed_bn: Literal["eval", "train"]


class Gradual(StrictModel):
    """The head alone at first, then one stage more every so many epochs, from the top."""

    name: Literal["gradual"]
    every_epochs: Count
    # A user's own file of this group may have been written before there was this key.
    patience_epochs: Count | None = None
    lr_factor: Annotated[float, Field(gt=0.0)]
    thawed_bn: Literal["eval", "train"]


ScheduleChoice = ConstantSchedule | HeadFirst | Gradual


class Strategy(StrictModel):
    """The named strategy that set other keys; a file of conf/strategy, so users may add theirs."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_/-]+$")]
    choice: str | None
    reason: str
    source: str
    typed: list[str] | None

    @model_validator(mode="before")
    @classmethod
    def _what_own_files_leave_out(cls, values: Any) -> Any:
        """A user's own strategy says what it sets; why, and by whom it is, are for our tables."""
        if not isinstance(values, dict):
            return values
        return {"choice": None, "reason": "", "source": "", "typed": None} | values

    @property
    def asks_for_choice(self) -> bool:
        """Whether the data must be measured first, to choose one of the four strategies."""
        return self.name == "auto" and self.choice is None

    @property
    def in_force(self) -> str:
        """The file of conf/strategy whose values are used."""
        return self.choice or self.name


class AdamW(StrictModel):
    """Adam with decoupled weight decay."""

    name: Literal["adamw"]
    weight_decay: Annotated[float, Field(ge=0.0)]
    layer_decay: PositiveFraction
    head_lr_factor: Annotated[float, Field(gt=0.0)]
    lr_center: Annotated[float, Field(gt=0.0)]


class Adam(StrictModel):
    """Adam."""

    name: Literal["adam"]
    weight_decay: Annotated[float, Field(ge=0.0)]
    layer_decay: PositiveFraction
    head_lr_factor: Annotated[float, Field(gt=0.0)]
    lr_center: Annotated[float, Field(gt=0.0)]


class Sgd(StrictModel):
    """Stochastic gradient descent with momentum."""

    name: Literal["sgd"]
    weight_decay: Annotated[float, Field(ge=0.0)]
    layer_decay: PositiveFraction
    head_lr_factor: Annotated[float, Field(gt=0.0)]
    lr_center: Annotated[float, Field(gt=0.0)]
    momentum: Annotated[float, Field(ge=0.0, lt=1.0)]


NamedOptimizer = AdamW | Adam | Sgd
OptimizerChoice = Annotated[
    Annotated[NamedOptimizer, Field(discriminator="name"), Tag("named")]
    | Annotated[OwnOptimizer, Tag("own")],
    Discriminator(own_or_named),
]


class WarmedUp(StrictModel):
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
