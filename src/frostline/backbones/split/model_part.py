"""A part of a model that runs by itself, calling the model's own modules."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from frostline.backbones.freezing import is_held_in_eval
from frostline.backbones.split.crossing import needs_packing, pack, unpack, with_axis_order
from frostline.backbones.split.program import Program, replace_refs


class ModelPart(nn.Module):
    """Runs a program with the modules of a model, which it shares and does not own.

    Args:
        model: The whole model.
        program: The calls in eval mode.
        train_program: The calls while the model is in train mode, if they differ.
        opened: Modules whose code the program replays; they follow `train()` of this part.
        frozen: Whether it runs without gradients.
    """

    def __init__(
        self,
        model: nn.Module,
        program: Program,
        train_program: Program | None,
        opened: Sequence[nn.Module],
        *,
        frozen: bool,
    ) -> None:
        super().__init__()
        self.program = program
        self.train_program = train_program
        self.frozen = frozen
        # `verify` sets these two where it finds that they are needed.
        self.clones_input = False
        self.input_axis_orders: tuple[tuple[int, ...], ...] = ()
        self._model = (model,)  # in a tuple, so that it is not registered
        self._opened = tuple(opened)
        self._called: dict[str, nn.Module] = {}
        self.net = nn.Module()
        for call in (*program.calls, *(train_program.calls if train_program else ())):
            if call.kind == "module":
                self._called[call.target] = model.get_submodule(call.target)
                _attach(self.net, call.target, self._called[call.target])
            elif call.kind == "tensor":
                owner, _, name = call.target.rpartition(".")
                tensor = getattr(model.get_submodule(owner), name)
                if isinstance(tensor, nn.Parameter):
                    _attach(self.net, call.target, tensor)

    def train(self, mode: bool = True) -> "ModelPart":
        """Put the modules of this part into train or eval mode; frozen ones stay in eval mode."""
        super().train(mode)
        if not self.frozen:
            for module in self._opened:
                if not is_held_in_eval(module):
                    module.training = mode
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Run the calls on `(N, ...)`."""
        output = self.run(x)
        return pack(output, self.program.packed) if self.program.packed else output

    def run(self, x: Tensor) -> Any:
        """Run the calls; several outputs are returned as a list, not packed."""
        if self.clones_input:
            x = x.clone()
        program = self.program
        if self.train_program is not None and self._model[0].training and not self.frozen:
            program = self.train_program
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            return self._run(program, x)

    def _inputs(self, program: Program, x: Tensor) -> dict[str, Any]:
        names = [tensor.name for tensor in program.inputs]
        tensors = unpack(x, program.inputs) if needs_packing(program.inputs) else [x]
        if self.input_axis_orders:
            pairs = zip(tensors, self.input_axis_orders, strict=True)
            tensors = [with_axis_order(tensor, order) for tensor, order in pairs]
        return dict(zip(names, tensors, strict=True))

    def _run(self, program: Program, x: Tensor) -> Any:
        results = self._inputs(program, x)
        for call in program.calls:
            args, kwargs = replace_refs(call.args, results), replace_refs(call.kwargs, results)
            if call.kind == "module":
                results[call.name] = self._called[call.target](*args, **kwargs)
            elif call.kind == "tensor":
                results[call.name] = self._tensor(call.target, x)
            elif call.kind == "method":
                results[call.name] = getattr(args[0], call.target)(*args[1:], **kwargs)
            else:
                function: Callable[..., Any] = call.target
                results[call.name] = function(*args, **kwargs)
            for name in call.drop:
                del results[name]
        return replace_refs(program.output, results)

    def _tensor(self, path: str, like: Tensor) -> Tensor:
        owner, _, name = path.rpartition(".")
        tensor: Tensor = getattr(self._model[0].get_submodule(owner), name)
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
