"""A user's own part in a config group: `_target_` and the keys that it is called with."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from frostline.config.strict_model import Fraction, PositiveFraction, StrictModel
from frostline.errors import ConfigError
from frostline.plugins.part import targets_of
from frostline.plugins.source_code import code_digest

TARGET, PARTIAL = "_target_", "_partial_"


class OwnPart(StrictModel):
    """What a yaml file with `_target_` says; read back from a record in the same form.

    Attributes:
        name: What it is called: the file's name, unless the file says another.
        target: `_target_`: MODULE.NAME of a class or function.
        partial: `_partial_`: keep it with the options instead of calling it with them.
        options: All keys that no other attribute has.
        code: Digest of its code: see plugins.source_code.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
    target: str
    partial: bool = False
    options: dict[str, Any] = Field(default_factory=dict)
    code: str
    # Keys of the yaml file that are for Frostline.
    _ours: ClassVar[frozenset[str]] = frozenset({"name"})

    @model_validator(mode="before")
    @classmethod
    def _from_yaml(cls, values: Any) -> Any:
        if not isinstance(values, Mapping) or TARGET not in values:
            return values
        given = {str(key): value for key, value in values.items()}
        target, partial = given.pop(TARGET), given.pop(PARTIAL, False)
        if not isinstance(target, str) or "." not in target:
            raise ConfigError(f"{TARGET}={target}", "MODULE.NAME, such as noise.Noise")
        own = {key: given.pop(key) for key in list(given) if key in cls._ours}
        own.setdefault("name", target.rpartition(".")[2])
        code = code_digest(targets_of(target, given))
        return own | {"target": target, "partial": partial, "options": given, "code": code}


class OwnAugment(OwnPart):
    """Called with each training image, (3, S, S) uint8; returns the same form."""


class OwnLoss(OwnPart):
    """Called with logits (B, K) and targets; returns the mean loss. See training.loss."""

    class_weights: Fraction = 0.0
    _ours: ClassVar[frozenset[str]] = frozenset({"name", "class_weights"})


class OwnHead(OwnPart):
    """Called with `num_features` and `num_classes`; a module from (N, F) to (N, K)."""

    pool: Literal["avg", "max", "flatten"] = "avg"
    _ours: ClassVar[frozenset[str]] = frozenset({"name", "pool"})


class OwnOptimizer(OwnPart):
    """Called with PyTorch's parameter groups and `lr`; a `torch.optim.Optimizer`."""

    weight_decay: Annotated[float, Field(ge=0.0)] = 0.0
    layer_decay: PositiveFraction = 1.0
    head_lr_factor: Annotated[float, Field(gt=0.0)] = 1.0
    lr_center: Annotated[float, Field(gt=0.0)] = 1.58e-3
    _ours: ClassVar[frozenset[str]] = frozenset(
        {"name", "weight_decay", "layer_decay", "head_lr_factor", "lr_center"}
    )


class OwnItem(OwnPart):
    """One of a list, such as a logger: called after its class, and all keys go to that."""

    _ours: ClassVar[frozenset[str]] = frozenset()


def own_or_named(value: Any) -> str:
    """Which kind a group's value is, for pydantic: `own`, or `named` for one of Frostline's."""
    if isinstance(value, Mapping):
        return "own" if TARGET in value or "target" in value else "named"
    return "own" if isinstance(value, OwnPart) else "named"
