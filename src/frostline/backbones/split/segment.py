"""A part of a model's forward pass that runs by itself, calling the model's own modules."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

Kind = Literal["module", "tensor", "function", "method"]


@dataclass(frozen=True)
class Ref:
    """Stands for the result of an earlier step."""

    name: str


@dataclass(frozen=True)
class Step:
    """One call.

    Args:
        name: Of its result.
        kind: Whether a module, a function or a method is called, or a tensor of the model read.
        target: Path of the module or tensor, the function, or the method's name.
        args: Positional arguments, with ``Ref`` for earlier results.
        kwargs: Named arguments, the same.
        drop: Results that nothing needs after this step.
    """

    name: str
    kind: Kind
    target: Any
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    drop: tuple[str, ...] = ()


@dataclass(frozen=True)
class BoundaryValue:
    """A tensor that one part hands to the other.

    Args:
        name: Of the result that it is.
        rows: Rows that each image has in it: 1, or more where windows or patches are rows.
        shape: Shape of a row.
    """

    name: str
    rows: int
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """The steps of a part.

    Args:
        inputs: What comes in.
        steps: In order.
        output: What comes out: a structure with ``Ref``, or a list of them to be packed.
        packed: The outputs as they are packed; empty if there is one, given as it is.
    """

    inputs: tuple[BoundaryValue, ...]
    steps: tuple[Step, ...]
    output: Any
    packed: tuple[BoundaryValue, ...] = ()


def needs_packing(handed: Sequence[BoundaryValue]) -> bool:
    """Say whether what is handed over is anything but one tensor with one row an image."""
    return len(handed) > 1 or handed[0].rows > 1


def pack(tensors: Sequence[Tensor], handed: Sequence[BoundaryValue]) -> Tensor:
    """Lay tensors ``(N rows, ...)`` of one type side by side as ``(N, P)``."""
    pairs = zip(tensors, handed, strict=True)
    rows = [tensor.reshape(tensor.shape[0] // part.rows, -1) for tensor, part in pairs]
    return torch.cat(rows, dim=1)


def unpack(packed: Tensor, handed: Sequence[BoundaryValue]) -> list[Tensor]:
    """Undo ``pack``."""
    sizes = [part.rows * torch.Size(part.shape).numel() for part in handed]
    pieces = zip(torch.split(packed, sizes, dim=1), handed, strict=True)
    return [piece.reshape(-1, *part.shape).contiguous() for piece, part in pieces]


def layout_of(tensor: Tensor) -> tuple[int, ...]:
    """Return the axes in the order in which they lie in memory, outermost first."""
    strides = tensor.stride()
    return tuple(sorted(range(tensor.ndim), key=lambda axis: -strides[axis]))


def laid_out(tensor: Tensor, layout: tuple[int, ...]) -> Tensor:
    """Return the same values with their axes in another order in memory."""
    ordered = tensor.permute(layout)
    if ordered.is_contiguous():
        return tensor
    back = tuple(layout.index(axis) for axis in range(len(layout)))
    return ordered.contiguous().permute(back)


def filled(value: Any, results: Mapping[str, Any]) -> Any:
    """Replace every ``Ref`` in a structure by the result it stands for."""
    if isinstance(value, Ref):
        return results[value.name]
    if isinstance(value, list | tuple):
        return type(value)(filled(entry, results) for entry in value)
    if isinstance(value, dict):
        return {key: filled(entry, results) for key, entry in value.items()}
    if isinstance(value, slice):
        return slice(*(filled(part, results) for part in (value.start, value.stop, value.step)))
    return value


class Segment(nn.Module):
    """Runs a plan with the modules of a model, which it shares and does not own.

    Args:
        model: The whole model.
        plan: What runs in eval mode.
        train_plan: What runs while the model is in train mode, if that differs.
        opened: Modules whose code the plan replays; they follow ``train()`` of this part.
        frozen: Whether it runs without gradients.
    """

    def __init__(
        self,
        model: nn.Module,
        plan: Plan,
        train_plan: Plan | None,
        opened: Sequence[nn.Module],
        *,
        frozen: bool,
    ) -> None:
        super().__init__()
        self.plan = plan
        self.train_plan = train_plan
        self.frozen = frozen
        self.clones_input = False
        self.layouts: tuple[tuple[int, ...], ...] = ()
        self._whole = (model,)
        self._opened = tuple(opened)
        self._called: dict[str, nn.Module] = {}
        self.net = nn.Module()
        for step in (*plan.steps, *(train_plan.steps if train_plan else ())):
            if step.kind == "module":
                self._called[step.target] = model.get_submodule(step.target)
                _attach(self.net, step.target, self._called[step.target])
            elif step.kind == "tensor":
                owner, _, name = step.target.rpartition(".")
                tensor = getattr(model.get_submodule(owner), name)
                if isinstance(tensor, nn.Parameter):
                    _attach(self.net, step.target, tensor)

    def train(self, mode: bool = True) -> "Segment":
        """Put the modules of this part into train or eval mode; frozen ones stay in eval mode."""
        super().train(mode)
        if not self.frozen:
            for module in self._opened:
                module.training = mode
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Run the steps on ``(N, ...)``."""
        output = self.run(x)
        return pack(output, self.plan.packed) if self.plan.packed else output

    def run(self, x: Tensor) -> Any:
        """Run the steps; several outputs come as a list, not packed."""
        if self.clones_input:
            x = x.clone()
        plan = self.plan
        if self.train_plan is not None and self._whole[0].training and not self.frozen:
            plan = self.train_plan
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            return self._run(plan, x)

    def _inputs(self, plan: Plan, x: Tensor) -> dict[str, Any]:
        names = [part.name for part in plan.inputs]
        parts = unpack(x, plan.inputs) if needs_packing(plan.inputs) else [x]
        if self.layouts:
            pairs = zip(parts, self.layouts, strict=True)
            parts = [laid_out(part, layout) for part, layout in pairs]
        return dict(zip(names, parts, strict=True))

    def _run(self, plan: Plan, x: Tensor) -> Any:
        results = self._inputs(plan, x)
        for step in plan.steps:
            args, kwargs = filled(step.args, results), filled(step.kwargs, results)
            if step.kind == "module":
                results[step.name] = self._called[step.target](*args, **kwargs)
            elif step.kind == "tensor":
                results[step.name] = self._tensor(step.target, x)
            elif step.kind == "method":
                results[step.name] = getattr(args[0], step.target)(*args[1:], **kwargs)
            else:
                function: Callable[..., Any] = step.target
                results[step.name] = function(*args, **kwargs)
            for name in step.drop:
                del results[name]
        return filled(plan.output, results)

    def _tensor(self, path: str, like: Tensor) -> Tensor:
        owner, _, name = path.rpartition(".")
        tensor: Tensor = getattr(self._whole[0].get_submodule(owner), name)
        return tensor if tensor.device == like.device else tensor.to(like.device)


def _attach(root: nn.Module, path: str, member: nn.Module | nn.Parameter) -> None:
    """Register a module or parameter of a model under its own path."""
    *parents, name = path.split(".")
    for parent in parents:
        if parent not in root._modules:
            root.add_module(parent, nn.Module())
        root = root.get_submodule(parent)
    if isinstance(member, nn.Parameter):
        root.register_parameter(name, member)
    else:
        root.add_module(name, member)
