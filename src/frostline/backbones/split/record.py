"""Recording what a model's outermost code does, with the modules inside left whole.

Only the modules around a boundary are looked into; every other module is one step that calls the
real module, so dropout, batch normalisation and the like keep their behaviour. Each recorded value
carries the shape it really has, so code that asks for shapes runs as it would.
"""

import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn

from frostline.backbones.execution_order import held_in_eval, meta_state, outermost, without_numbers
from frostline.backbones.spec import Boundary

INSIDE = "net"


class Recorded(fx.Proxy):
    """A value of the recording: stands for a step's result and knows its concrete value."""

    value: Any = None
    tracer: "_Tracer"

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.value, name)
        if callable(found):
            return _Method(self, name)
        return self.tracer.create_proxy("call_function", getattr, (self, name), {})

    def _concrete(self) -> Any:
        self.tracer.concretised = True
        return self.value

    def __bool__(self) -> bool:
        return bool(self._concrete())

    def __int__(self) -> int:
        return int(self._concrete())

    def __index__(self) -> int:
        return int(self._concrete())

    def __float__(self) -> float:
        return float(self._concrete())

    def __len__(self) -> int:
        return len(self.value)

    def __contains__(self, item: object) -> bool:
        return item in self._concrete()

    def __iter__(self) -> Iterator[Any]:
        if isinstance(self.value, dict):
            return iter(self.value)
        return iter(
            [
                self.tracer.create_proxy("call_function", operator.getitem, (self, index), {})
                for index in range(len(self.value))
            ]
        )

    def __hash__(self) -> int:
        return id(self)


class _Method:
    """A method of a recorded value, recorded when called."""

    def __init__(self, owner: Recorded, name: str) -> None:
        self._owner = owner
        self._name = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._owner.tracer.create_proxy(
            "call_method", self._name, (self._owner, *args), kwargs
        )


def _concrete_args(value: Any) -> Any:
    """Replace recorded values by their concrete ones, in nested containers too."""
    if isinstance(value, Recorded):
        return value.value
    if type(value) in (list, tuple):
        return type(value)(_concrete_args(entry) for entry in value)
    if type(value) is dict:
        return {key: _concrete_args(entry) for key, entry in value.items()}
    if type(value) is slice:
        return slice(*(_concrete_args(part) for part in (value.start, value.stop, value.step)))
    return value


class _Tracer(fx.Tracer):
    """Records calls; modules are steps unless they lie around a boundary."""

    def __init__(self, opened: frozenset[str], example: Tensor) -> None:
        super().__init__(param_shapes_constant=False)
        self.proxy_buffer_attributes = True
        self.concretised = False
        self.enter: dict[str, int] = {}
        self.exit: dict[str, int] = {}
        self.values: dict[str, Any] = {}
        self._opened = opened
        self._example = example
        self._running = False

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return Recorded(node, self)

    def create_arg(self, a: Any) -> Any:
        if type(a) is Recorded:
            return a.node
        if isinstance(a, torch.Size):
            return tuple(a)
        if isinstance(a, Tensor) and a.is_meta and not self._is_named(a):
            raise NotImplementedError("it makes a tensor of its own that is not in its state")
        return super().create_arg(a)

    def _is_named(self, tensor: Tensor) -> bool:
        tensors = [*self.root.parameters(), *self.root.buffers()]
        return any(tensor is other for other in tensors)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:  # noqa: ARG002
        return module_qualified_name not in self._opened

    def call_module(
        self,
        m: nn.Module,
        forward: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        if self._running:
            return forward(*args, **kwargs)
        path = self.path_of_module(m)
        self.enter.setdefault(path, len(self.graph.nodes))
        result = super().call_module(m, forward, args, kwargs)
        self.exit[path] = len(self.graph.nodes)
        return result

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        if self._running:
            return attr_val
        return super().getattr(attr, attr_val, parameter_proxy_cache)

    def create_proxy(
        self,
        kind: str,
        target: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *rest: Any,
        **named: Any,
    ) -> Any:
        result: Any = super().create_proxy(kind, target, args, kwargs, *rest, **named)
        result.value = self._evaluate(
            kind, target, _concrete_args(tuple(args)), _concrete_args(dict(kwargs))
        )
        self.values[result.node.name] = result.value
        return result

    def _evaluate(
        self, kind: str, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if kind == "placeholder":
            return self._example
        if kind == "output":
            return args[0]
        if kind == "get_attr":
            owner, _, name = target.rpartition(".")
            self._running, before = True, self._running
            try:
                return getattr(self.root.get_submodule(owner), name)
            finally:
                self._running = before
        self._running, before = True, self._running
        try:
            if kind == "call_module":
                return self.root.get_submodule(target)(*args, **kwargs)
            if kind == "call_method":
                return getattr(args[0], target)(*args[1:], **kwargs)
            return target(*args, **kwargs)
        finally:
            self._running = before


@dataclass
class Recording:
    """The outermost steps of a forward pass.

    Args:
        graph: The steps in order; module and tensor names begin with ``net.``.
        values: Concrete value of each step by name, tensors on the meta device.
        enter: How many steps there were when a module first began, by path.
        exit: How many when it last ended.
        size_matters: True if the code decided something by the concrete size of its input.
    """

    graph: fx.Graph
    values: dict[str, Any]
    enter: dict[str, int] = field(default_factory=dict)
    exit: dict[str, int] = field(default_factory=dict)
    size_matters: bool = False

    def position(self, boundary: Boundary) -> int | None:
        """Return the number of steps before a boundary, or None if it is never passed."""
        table = self.enter if boundary.edge == "enter" else self.exit
        path = f"{INSIDE}.{boundary.module}"
        if path in table:
            return table[path]
        inner = [table[other] for other in outermost(table, path)]
        if not inner:
            return None
        return min(inner) if boundary.edge == "enter" else max(inner)


class _Outer(nn.Module):
    """The function to be recorded as a module with one input."""

    def __init__(self, net: nn.Module, run: Callable[[nn.Module, Tensor], Any]) -> None:
        super().__init__()
        self.net = net
        self.run = run

    def forward(self, x: Tensor) -> Any:
        return self.run(self.net, x)


class _Recorder(nn.Module):
    """Runs the tracer from inside ``functional_call``, where the stand-in tensors are in place."""

    def __init__(self, outer: nn.Module) -> None:
        super().__init__()
        self.outer = outer

    def forward(self, tracer: _Tracer) -> fx.Graph:
        return tracer.trace(self.outer)


def around(boundaries: Sequence[Boundary]) -> frozenset[str]:
    """Return the paths of the modules that lie around boundaries, the model itself included."""
    opened = {""}
    for boundary in boundaries:
        parts = boundary.module.split(".")
        opened.update(".".join(parts[:count]) for count in range(1, len(parts)))
    return frozenset(opened)


def record(
    model: nn.Module,
    boundaries: Sequence[Boundary],
    *,
    size_px: int,
    batch: int,
    training: bool,
    run: Callable[[nn.Module, Tensor], Any],
) -> Recording:
    """Record a forward pass on the meta device.

    Args:
        model: The model; neither its tensors nor its modes are changed.
        boundaries: Moments that must lie between two steps.
        size_px: Side of the input.
        batch: Images in the input.
        training: Whether the looked-into modules are in train mode; all others stay in eval mode.
        run: Runs the model on images, and what is done with its output.

    Raises:
        Exception: Whatever the model's code raises when it is recorded.
    """
    opened = around(boundaries)
    inside = frozenset(f"{INSIDE}.{path}" if path else INSIDE for path in opened)
    tracer = _Tracer(inside, torch.empty(batch, 3, size_px, size_px, device="meta"))
    state = {f"outer.{INSIDE}.{name}": tensor for name, tensor in meta_state(model).items()}
    with torch.no_grad(), torch.random.fork_rng(devices=[]), held_in_eval(model):
        for path, module in model.named_modules():
            module.training = training and path in opened
        graph = without_numbers(_Recorder(_Outer(model, run)), state, tracer)
    return Recording(graph, tracer.values, tracer.enter, tracer.exit, tracer.concretised)
