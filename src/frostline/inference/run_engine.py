"""Where a trained run computes on this machine, and in which precision."""

import re
from dataclasses import replace

from frostline.backbones.compute_mode import ComputeMode, parse_compute_mode
from frostline.inference.rebuild import Rebuilt
from frostline.training.engine import STRICT, Engine, choose_engine
from frostline.training.precision_probe import FASTEST


def engine_here(rebuilt: Rebuilt) -> Engine:
    """Choose the run's own precision on the best device of this machine."""
    trainer = rebuilt.settings.trainer
    engine = choose_engine(trainer.model_copy(update={"accelerator": "auto"}))
    if engine.precision != FASTEST:
        return engine
    # The precision that was fastest in training determines the figures of the run.
    return replace(engine, precision=recorded_modes(rebuilt)[0].precision)


def engine_tag(rebuilt: Rebuilt) -> str:
    """Where and how a run trained, as it logged it; empty for a checkpoint given by its path."""
    return rebuilt.record.tags.get("frostline.engine", "") if rebuilt.record else ""


def recorded_modes(rebuilt: Rebuilt) -> tuple[ComputeMode, ComputeMode]:
    """Modes of training and of the frozen stages, as a run with `precision=fastest` logged them."""
    match = re.fullmatch(r"\w+ (.+), frozen stages (.+)", engine_tag(rebuilt).removesuffix(STRICT))
    return (
        (parse_compute_mode(match[1]), parse_compute_mode(match[2]))
        if match
        else (ComputeMode("32-true"), ComputeMode("32-true"))
    )
