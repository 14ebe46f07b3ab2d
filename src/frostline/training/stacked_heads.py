"""Many heads of one structure as one: stacked parameters, one product, torch.optim for each head.

The first layers of all heads are a single matrix product. The optimiser is torch.optim's own, with
parameter groups for each head over parameters that are views of the stacked ones, so every head has
its own learning rate, weight decay and momentum. `python -m benchmarks.heads` compares this with
other ways to do it.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from frostline.config.recipe import OptimizerChoice
from frostline.training.optim import optimizer_of_groups, parameter_groups


class StackedHeads:
    """J heads of equal structure that see the same batches.

    Args:
        heads: As `build_head` makes them: linear, or linear, (BatchNorm), ReLU, dropout, linear.
        device: Where they are trained.

    Attributes:
        parameters: Name in one head's state dict to (J, *shape) float32; these are trained.
        buffers: The same for the statistics of BatchNorm.

    Raises:
        ValueError: If their structures differ.
    """

    def __init__(self, heads: Sequence[nn.Sequential], device: str = "cpu") -> None:
        structures = {tuple((type(m).__name__, *map(tuple, _shapes(m))) for m in h) for h in heads}
        if len(structures) != 1:
            raise ValueError("heads of different structure cannot be stacked")
        self.count = len(heads)
        self._template = heads[0]
        states = [head.state_dict() for head in heads]
        self.buffers = {
            name: torch.stack([state[name] for state in states]).to(device) for name in states[0]
        }
        self.parameters = {
            name: self.buffers.pop(name).requires_grad_() for name, _ in heads[0].named_parameters()
        }

    def logits(self, features: Tensor, *, training: bool) -> Tensor:
        """Features (B, F), the same for all heads, to logits (J, B, K)."""
        batch = len(features)
        rows = features  # (B, F) before the first linear layer, (J, B, H) after it
        for index, layer in enumerate(self._template):
            if isinstance(layer, nn.Linear):
                weight = self.parameters[f"{index}.weight"]  # (J, out, in)
                bias = self.parameters[f"{index}.bias"]  # (J, out)
                if rows.dim() == 2:
                    flat = F.linear(rows, weight.flatten(0, 1), bias.flatten())
                    rows = flat.view(batch, self.count, -1).transpose(0, 1)
                else:
                    rows = torch.baddbmm(bias.unsqueeze(1), rows, weight.transpose(1, 2))
            elif isinstance(layer, nn.BatchNorm1d):
                rows = self._batch_norm(index, layer, rows, training=training)
            elif isinstance(layer, nn.Dropout):
                # All heads have one seed, so they drop the same units; drawn as one head draws.
                mask = F.dropout(rows.new_ones(rows.shape[-2:]), layer.p, training)
                rows = rows * mask
            else:
                rows = layer(rows)
        return rows

    def _batch_norm(
        self, index: int, layer: nn.BatchNorm1d, rows: Tensor, *, training: bool
    ) -> Tensor:
        count, batch, width = rows.shape
        flat = rows.transpose(0, 1).reshape(batch, count * width)
        mean, var = (self.buffers[f"{index}.running_{name}"] for name in ("mean", "var"))
        if training:
            self.buffers[f"{index}.num_batches_tracked"] += 1
        flat = F.batch_norm(
            flat,
            mean.view(-1),
            var.view(-1),
            self.parameters[f"{index}.weight"].flatten(),
            self.parameters[f"{index}.bias"].flatten(),
            training,
            layer.momentum or 0.0,
            layer.eps,
        )
        return flat.view(batch, count, width).transpose(0, 1)

    def head_state(self, job: int) -> dict[str, Tensor]:
        """The state dict of one head, a copy on the CPU."""
        stacked = self.parameters | self.buffers
        return {
            name: stacked[name][job].detach().to("cpu", copy=True)
            for name in self._template.state_dict()
        }


class StackedOptimizer:
    """An optimiser of torch.optim over stacked heads, with learning rates by head.

    Args:
        heads: What is trained.
        specs: One for each head, all of one kind.

    Raises:
        ValueError: If the kinds differ.
    """

    def __init__(self, heads: StackedHeads, specs: Sequence[OptimizerChoice]) -> None:
        if len({type(spec) for spec in specs}) != 1:
            raise ValueError("optimisers of different kinds cannot be stacked")
        # Each head's slice as a parameter of its own, which shares memory with the stacked one.
        self._slices = [
            (stacked, [nn.Parameter(part) for part in stacked.detach().unbind()])
            for stacked in heads.parameters.values()
        ]
        self._groups_of = [
            parameter_groups(spec, {parts[job]: 1.0 for _, parts in self._slices}, lr=0.0)
            for job, spec in enumerate(specs)
        ]
        groups = [group for of_head in self._groups_of for group in of_head]
        self._optimizer = optimizer_of_groups(specs[0], groups, lr=0.0, fused=True)

    def step(self, lr: Sequence[float]) -> None:
        """One step from the gradients of all heads, which are cleared afterwards.

        Args:
            lr: (J) learning rates of this step.
        """
        for of_head, rate in zip(self._groups_of, lr, strict=True):
            for group in of_head:
                group["lr"] = rate
        for stacked, parts in self._slices:
            assert stacked.grad is not None
            for part, gradient in zip(parts, stacked.grad.unbind(), strict=True):
                part.grad = gradient
            stacked.grad = None
        self._optimizer.step()


def _shapes(module: nn.Module) -> list[torch.Size]:
    return [value.shape for value in module.state_dict().values()]
