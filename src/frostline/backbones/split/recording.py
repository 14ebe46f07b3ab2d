"""Recording a model's outermost steps, with the modules inside kept whole.

Only the modules around a boundary are looked into; every other module is one step that calls the
real module, so dropout, batch normalisation and the like keep their behaviour.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn

from frostline.backbones.execution_order import outermost
from frostline.backbones.meta_device import call_on_meta, eval_mode, meta_tensors
from frostline.backbones.spec import Boundary
from frostline.backbones.split.tracer import PassTracer

# Under which name the model is recorded.
MODEL_NAME = "net"


@dataclass
class Recording:
    """The outermost steps of a forward pass.

    Attributes:
        graph: The steps in order; module and tensor names begin with `net.`.
        values: Concrete value of each step by name, tensors on the meta device.
        enter: How many steps there were when a module was first called, by path.
        exit: How many when it last returned.
        size_matters: True if the code decided something by the concrete size of its input.
    """

    graph: fx.Graph
    values: dict[str, Any]
    enter: dict[str, int] = field(default_factory=dict)
    exit: dict[str, int] = field(default_factory=dict)
    size_matters: bool = False

    def position(self, boundary: Boundary) -> int | None:
        """Return the number of steps before a boundary, or None if it is never crossed."""
        positions = self.enter if boundary.edge == "enter" else self.exit
        path = f"{MODEL_NAME}.{boundary.module}"
        if path in positions:
            return positions[path]
        inner = [positions[other] for other in outermost(positions, path)]
        if not inner:
            return None
        return min(inner) if boundary.edge == "enter" else max(inner)


class _RecordedModel(nn.Module):
    """The function to be recorded, as a module with one input."""

    def __init__(self, net: nn.Module, run: Callable[[nn.Module, Tensor], Any]) -> None:
        super().__init__()
        self.net = net
        self.run = run

    def forward(self, x: Tensor) -> Any:
        return self.run(self.net, x)


class _TracerRun(nn.Module):
    """Runs the tracer inside `functional_call`, where the meta tensors are in place."""

    def __init__(self, outer: nn.Module) -> None:
        super().__init__()
        self.outer = outer

    def forward(self, tracer: PassTracer) -> fx.Graph:
        return tracer.trace(self.outer)


def modules_around(boundaries: Sequence[Boundary]) -> frozenset[str]:
    """Return the paths of the modules that contain a boundary, including the model itself."""
    opened = {""}
    for boundary in boundaries:
        parts = boundary.module.split(".")
        opened.update(".".join(parts[:count]) for count in range(1, len(parts)))
    return frozenset(opened)


def record(
    model: nn.Module,
    boundaries: Sequence[Boundary],
    *,
    shape: tuple[int, int, int],
    batch: int,
    training: bool,
    run: Callable[[nn.Module, Tensor], Any],
) -> Recording:
    """Record a forward pass on the meta device.

    Args:
        model: The model; neither its tensors nor its modes are changed.
        boundaries: Points that must lie between two steps.
        shape: Channels, height and width of the input.
        batch: Images in the input.
        training: Whether the modules that are looked into are in train mode; all others are in eval
            mode.
        run: Runs the model on images and pools its output.

    Raises:
        Exception: The model's code raised it while it was recorded.
    """
    opened = modules_around(boundaries)
    inside = frozenset(f"{MODEL_NAME}.{path}" if path else MODEL_NAME for path in opened)
    tracer = PassTracer(inside, torch.empty(batch, *shape, device="meta"))
    state = {f"outer.{MODEL_NAME}.{name}": tensor for name, tensor in meta_tensors(model).items()}
    with torch.no_grad(), torch.random.fork_rng(devices=[]), eval_mode(model):
        for path, module in model.named_modules():
            module.training = training and path in opened
        graph = call_on_meta(_TracerRun(_RecordedModel(model, run)), state, tracer)
    return Recording(graph, tracer.values, tracer.enter, tracer.exit, tracer.uses_concrete_values)
