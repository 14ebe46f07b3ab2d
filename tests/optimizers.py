"""Optimisers for tests, with plain values for what a test does not care about."""

from typing import Any

from frostline.config.recipe import Adam, AdamW, Sgd

_PLAIN: dict[str, Any] = {
    "weight_decay": 0.0,
    "layer_decay": 1.0,
    "head_lr_factor": 1.0,
    "lr_center": 1e-3,
}


def adamw(**given: float) -> AdamW:
    return AdamW(name="adamw", **(_PLAIN | given))


def adam(**given: float) -> Adam:
    return Adam(name="adam", **(_PLAIN | given))


def sgd(**given: float) -> Sgd:
    return Sgd(name="sgd", **({"momentum": 0.0} | _PLAIN | given))
