"""The beginning of a phase: the backbone frozen to its depth, inputs behind that depth."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from frostline.backbones.compute_mode import ComputeMode
from frostline.backbones.freezing import hold_in_eval, is_held_in_eval
from frostline.backbones.split.cut import Cut
from frostline.features.prefix_job import PrefixJob
from frostline.features.reuse import Inputs, open_inputs
from frostline.features.stored_epochs import Readers
from frostline.training.assembly import Assembly
from frostline.training.engine import STRICT, Engine
from frostline.training.precision_probe import choose_modes
from frostline.training.schedule import Phase


@dataclass(frozen=True)
class OpenPhase:
    """What a phase is trained with.

    Attributes:
        cut: The backbone cut at the phase's depth.
        inputs: Images, or stored outputs of its frozen stages.
        engine: Where it trains, and in which precision.
        forward: How its frozen stages are computed.
        training: How all else is.
    """

    cut: Cut
    inputs: Inputs
    engine: Engine
    forward: ComputeMode
    training: ComputeMode

    @property
    def engine_text(self) -> str:
        """Where and how it computes; `frostline.inference.run_network` reads it from the run."""
        return engine_text(self.engine, forward=self.forward, training=self.training)


def engine_text(engine: Engine, *, forward: ComputeMode, training: ComputeMode) -> str:
    """A run's device and modes as its tag `frostline.engine` has them.

    Args:
        engine: Where it computes.
        forward: How its frozen stages are computed.
        training: How everything else is.
    """
    strict = STRICT if engine.strict else ""
    return f"{engine.accelerator} {training}, frozen stages {forward}{strict}"


def open_phase(
    run: Assembly,
    phase: Phase,
    engine: Engine,
    *,
    is_last: bool,
    readers: Readers,
    on_progress: Callable[..., None],
) -> OpenPhase:
    """Freeze a run's backbone to a phase's depth, and prepare the phase's inputs.

    Args:
        run: The run's parts.
        phase: One of its phases.
        engine: As chosen for the run.
        is_last: Whether the run ends with it.
        readers: Trainings that share the frozen stages and the data, this one included.
        on_progress: Receives `text=` while outputs are computed.
    """
    settings, backbone = run.settings, run.backbone
    # Cutting verifies the cut, which takes time; where the depth never changes it is done already.
    parts = run.cut if len(run.phases) == 1 else run.cut_at(phase.freeze)
    engine, forward, training = choose_modes(
        engine,
        parts.prefix,
        nn.Sequential(parts.suffix, run.head),
        shape=backbone.input.shape,
        batch=settings.batch_size,
        about=f"{backbone.name} frozen to {parts.depth.label}",
        own_parts=bool(settings.own_parts),
    )
    inputs = open_inputs(
        PrefixJob(
            backbone,
            parts,
            run.data,
            engine.accelerator,
            forward,
            training,
        ),
        reuse=settings.reuse,
        mix=settings.mix.name,
        epochs=phase.epochs,
        readers=readers,
        on_progress=on_progress,
        first_epoch=phase.first_epoch,
        is_last=is_last,
        processes=engine.devices if engine.strategy == "ddp" else 1,
        sweep=settings.sweep.id or settings.sweep.job_digest or "",
    )
    if phase.thawed_bn == "eval" and settings.frozen_bn == "eval":
        hold_statistics(backbone.model)
    return OpenPhase(parts, inputs, engine, forward, training)


def hold_statistics(model: nn.Module) -> None:
    """Keep every BatchNorm in eval mode, those that train as well, until the model is cut again.

    A head that was trained on features normalised by the pretrained statistics would meet others
    from one step to the next, those of a batch. Scale and shift train all the same.

    Args:
        model: Frozen to some depth, which stays as it is.

    Source: F. Chollet, Transfer learning & fine-tuning, https://keras.io/guides/transfer_learning
    """
    held_in_eval = [
        path
        for path, module in model.named_modules()
        if is_held_in_eval(module) or isinstance(module, nn.modules.batchnorm._BatchNorm)
    ]
    hold_in_eval(model, held_in_eval, "eval")
