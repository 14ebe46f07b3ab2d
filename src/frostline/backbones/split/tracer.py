"""A torch.fx tracer that keeps the concrete value of every step beside it.

Code that asks for shapes, lengths or numbers gets the real ones and so runs as usual.
"""

import operator
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, fx, nn


class RecordedValue(fx.Proxy):
    """The result of a recorded step, with its concrete value."""

    value: Any = None
    tracer: "PassTracer"

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self.value, name)
        if callable(attribute):
            return _RecordedMethod(self, name)
        return self.tracer.create_proxy("call_function", getattr, (self, name), {})

    def _concrete(self) -> Any:
        self.tracer.uses_concrete_values = True
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


class _RecordedMethod:
    """A method of a recorded value, recorded when called."""

    def __init__(self, owner: RecordedValue, name: str) -> None:
        self._owner = owner
        self._name = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._owner.tracer.create_proxy(
            "call_method", self._name, (self._owner, *args), kwargs
        )


def _concrete_values(value: Any) -> Any:
    """Replace recorded values by their concrete values, in nested containers too."""
    if isinstance(value, RecordedValue):
        return value.value
    if type(value) in (list, tuple):
        return type(value)(_concrete_values(entry) for entry in value)
    if type(value) is dict:
        return {key: _concrete_values(entry) for key, entry in value.items()}
    if type(value) is slice:
        return slice(*(_concrete_values(part) for part in (value.start, value.stop, value.step)))
    return value


class PassTracer(fx.Tracer):
    """Records calls; a module is one step unless it is opened, and then its own calls are.

    Args:
        opened: Paths of the modules that are looked into.
        example: The input `(N, 3, S, S)` on the meta device.

    Attributes:
        enter: How many steps there were when a module was first called, by path.
        exit: How many when it last returned.
        values: Concrete value of each step by name, tensors on the meta device.
        uses_concrete_values: Whether the code decided something by a concrete value.
    """

    def __init__(self, opened: frozenset[str], example: Tensor) -> None:
        super().__init__(param_shapes_constant=False)
        self.proxy_buffer_attributes = True
        self.uses_concrete_values = False
        self.enter: dict[str, int] = {}
        self.exit: dict[str, int] = {}
        self.values: dict[str, Any] = {}
        self._opened = opened
        self._example = example
        self._evaluating = False

    def proxy(self, node: fx.Node) -> fx.Proxy:
        """Return the value that stands for a step's result."""
        return RecordedValue(node, self)

    def create_arg(self, a: Any) -> Any:
        """Convert an argument of a call for the graph."""
        if type(a) is RecordedValue:
            return a.node
        if isinstance(a, torch.Size):
            return tuple(a)
        if isinstance(a, Tensor) and a.is_meta and not self._is_named(a):
            raise NotImplementedError("it creates a tensor of its own that is not in its state")
        return super().create_arg(a)

    def _is_named(self, tensor: Tensor) -> bool:
        tensors = [*self.root.parameters(), *self.root.buffers()]
        return any(tensor is other for other in tensors)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:  # noqa: ARG002
        """Return whether a module is one step."""
        return module_qualified_name not in self._opened

    def call_module(
        self,
        m: nn.Module,
        forward: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """Record the call of a module, and when it begins and ends."""
        if self._evaluating:
            return forward(*args, **kwargs)
        path = self.path_of_module(m)
        self.enter.setdefault(path, len(self.graph.nodes))
        result = super().call_module(m, forward, args, kwargs)
        self.exit[path] = len(self.graph.nodes)
        return result

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        """Record that a tensor of the model is read."""
        if self._evaluating:
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
        """Record a step and compute its concrete value."""
        result: Any = super().create_proxy(kind, target, args, kwargs, *rest, **named)
        result.value = self._evaluate(
            kind, target, _concrete_values(tuple(args)), _concrete_values(dict(kwargs))
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
            self._evaluating, before = True, self._evaluating
            try:
                return getattr(self.root.get_submodule(owner), name)
            finally:
                self._evaluating = before
        self._evaluating, before = True, self._evaluating
        try:
            if kind == "call_module":
                return self.root.get_submodule(target)(*args, **kwargs)
            if kind == "call_method":
                return getattr(args[0], target)(*args[1:], **kwargs)
            return target(*args, **kwargs)
        finally:
            self._evaluating = before
