"""Which jobs of a sweep may train their heads together, decided without heavy imports."""

import json

from frostline.config.recipe import MlpHead, PlateauLr, Sgd
from frostline.config.schema import Settings
from frostline.config.tune_grid import tunes_alone
from frostline.data.views import FINITE_VIEWS

SHARED = (
    "backbone",
    "weights",
    "weights_key",
    "weights_partial",
    "freeze",
    "image_size",
    "in_chans",
    "frozen_bn",
    "data",
    "trainer",
)


# How jobs compute whose heads train together, as `Engine.numerics` begins. bfloat16 on a CPU is
# what few ask for, and its runs are known from before there was a choice.
TOGETHER = ("cpu 32-true", "cuda 32-true", "cuda bf16-mixed")


def trains_together(numerics: str) -> bool:
    """Whether heads train together on a device in a precision.

    Args:
        numerics: What `trainer` comes to on the machine of the jobs, such as `cpu 32-true`.
    """
    return numerics.partition(",")[0] in TOGETHER


def follows_single_jobs(*, batch_norm: bool, adaptive: bool) -> bool:
    """Whether heads train together as they would alone, within rounding.

    A bias before BatchNorm has no effect, so its gradient is rounding error only; Adam scales that
    up to full steps, so that even the same job gives other weights on another machine.

    Args:
        batch_norm: Whether the heads have BatchNorm.
        adaptive: Whether steps are divided by the gradients' size (Adam, AdamW).
    """
    return not (batch_norm and adaptive)


def group_key(settings: Settings, *, prefix_stages: int, num_stages: int) -> str | None:
    """What jobs must have in common to train as one group; None if a job must be run alone.

    Args:
        settings: The job.
        prefix_stages: Whole stages that its `freeze` freezes from the image on.
        num_stages: Stages of its backbone.
    """
    trainer = settings.trainer
    # What is the user's own has no batched form; an own augmentation has no finite views.
    alone = bool(
        settings.reuse == "off"
        or prefix_stages < num_stages
        or settings.frozen_bn != "eval"
        or settings.ema is not None
        or settings.augment.name not in FINITE_VIEWS
        or settings.mix.name != "none"
        or settings.schedule.name != "constant"
        or tunes_alone(settings)
        or settings.own_parts
        or settings.callbacks.loggers
        or isinstance(settings.lr_schedule, PlateauLr)
        or trainer.precision not in {"auto", "32-true", "bf16-mixed"}
        or trainer.accelerator not in {"auto", "cpu", "cuda"}
        or trainer.strategy != "single"
        or trainer.accumulate_grad_batches != 1
        or trainer.limit_batches is not None
        or not follows_single_jobs(
            batch_norm=isinstance(settings.head, MlpHead) and settings.head.batch_norm,
            adaptive=not isinstance(settings.optimizer, Sgd),
        )
    )
    if alone:
        return None
    values = settings.model_dump(mode="json", include=set(SHARED))
    # Random weights are drawn from the seed, so each seed has a backbone of its own.
    seed = settings.seed if settings.draws_weights else None
    return json.dumps(values | {"pool": settings.head.pool, "seed": seed}, sort_keys=True)
