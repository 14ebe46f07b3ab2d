"""The begin of a phase: the backbone frozen to its depth, inputs that begin behind that depth."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from src.backbones.cut import Cut
from src.features.reuse import Inputs, PrefixJob, open_inputs
from src.training.assembly import Assembly
from src.training.engine import Engine
from src.training.probe import settle_precisions
from src.training.schedule import Phase


@dataclass(frozen=True)
class OpenPhase:
    """What a phase is trained with.

    Attributes:
        parts: The backbone cut at the phase's depth.
        inputs: Images, or stored outputs of its frozen stages.
        engine: Where and in which precision it trains.
        prefix_precision: That of its frozen stages.
    """

    parts: Cut
    inputs: Inputs
    engine: Engine
    prefix_precision: str


def open_phase(
    made: Assembly, phase: Phase, engine: Engine, *, jobs: int, tell: Callable[..., None]
) -> OpenPhase:
    """Freeze a run's backbone as a phase wants it, and have the phase's inputs ready.

    Args:
        made: The run's parts.
        phase: One of its phases.
        engine: As chosen for the run.
        jobs: Jobs of the sweep that share the frozen stages and the data, this one included.
        tell: Receives `text=` while outputs are computed.
    """
    settings, backbone = made.settings, made.backbone
    # Cutting proves the cut, which takes time; where depth never changes it is done already.
    parts = made.parts if len(made.phases) == 1 else made.cut(phase.freeze)
    engine, prefix_precision = settle_precisions(
        engine,
        parts.prefix,
        torch.nn.Sequential(parts.suffix, made.head),
        size_px=backbone.input.size_px,
        batch=settings.batch_size,
        about=f"{backbone.name} frozen to {parts.depth_label}",
    )
    inputs = open_inputs(
        PrefixJob(
            backbone,
            parts,
            made.data,
            phase.freeze,
            settings.head.pool,
            engine.accelerator,
            prefix_precision,
            engine.precision,
        ),
        reuse=settings.reuse,
        mix=settings.mix.name,
        epochs=phase.epochs,
        jobs=jobs,
        tell=tell,
        first_epoch=phase.first_epoch,
        is_last=phase is made.phases[-1],
    )
    return OpenPhase(parts, inputs, engine, prefix_precision)
