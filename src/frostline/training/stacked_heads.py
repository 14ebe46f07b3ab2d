"""Many heads of one shape as one: their first layers are a single matrix product."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class StackedHeads:
    """J heads of equal structure that see the same batches.

    Args:
        heads: As `build_head` makes them: linear, or linear, (BatchNorm), ReLU, dropout, linear.

    Raises:
        ValueError: If their structures differ.
    """

    def __init__(self, heads: Sequence[nn.Sequential]) -> None:
        shapes = {tuple((type(m).__name__, *map(tuple, _shapes(m))) for m in h) for h in heads}
        if len(shapes) != 1:
            raise ValueError("heads of different structure cannot be stacked")
        self.count = len(heads)
        self._template = heads[0]
        # By name in one head's state: (J, *shape) float32.
        self.state = {
            name: torch.stack([head.state_dict()[name] for head in heads]).clone()
            for name in heads[0].state_dict()
        }
        # What trains; the first layer is kept as (in, J * out), ready for the product.
        self.parameters: dict[str, Tensor] = {}
        seen_linear = False
        for index, layer in enumerate(self._template):
            for name, _ in layer.named_parameters():
                key = f"{index}.{name}"
                value = self.state.pop(key)
                if isinstance(layer, nn.Linear) and name == "weight":
                    value = value.permute(0, 2, 1).contiguous()  # (J, in, out)
                    if not seen_linear:
                        value = value.permute(1, 0, 2).contiguous()  # (in, J, out)
                    seen_linear = True
                self.parameters[key] = value.requires_grad_()
        self._first = next(i for i, m in enumerate(self._template) if isinstance(m, nn.Linear))

    def job_axis(self, name: str) -> int:
        """Which axis of a parameter counts the heads."""
        return 1 if name == f"{self._first}.weight" else 0

    def decays(self, name: str) -> bool:
        """Whether weight decay applies: to matrices, not to biases and normalisation."""
        return self.parameters[name].dim() == 3

    def logits(self, features: Tensor, *, training: bool) -> Tensor:
        """Features (B, F), the same for all heads, to logits (J, B, K)."""
        batch = len(features)
        rows: Tensor = features
        wide = False  # whether rows are (J, B, H) already
        for index, layer in enumerate(self._template):
            if isinstance(layer, nn.Linear):
                weight = self.parameters[f"{index}.weight"]
                bias = self.parameters[f"{index}.bias"]
                if wide:
                    rows = torch.baddbmm(bias.unsqueeze(1), rows, weight)
                else:
                    flat = torch.addmm(bias.flatten(), rows, weight.flatten(1))
                    rows = flat.view(batch, self.count, -1).transpose(0, 1)
                    wide = True
            elif isinstance(layer, nn.BatchNorm1d):
                rows = self._normalised(index, layer, rows, training=training)
            elif isinstance(layer, nn.Dropout):
                # All heads have one seed, so they drop the same units; drawn as one head draws.
                kept = F.dropout(torch.ones(rows.shape[-2:]), layer.p, training)
                rows = rows * kept
            else:
                rows = layer(rows)
        return rows

    def _normalised(
        self, index: int, layer: nn.BatchNorm1d, rows: Tensor, *, training: bool
    ) -> Tensor:
        count, batch, width = rows.shape
        flat = rows.transpose(0, 1).reshape(batch, count * width)
        mean, var = (self.state[f"{index}.running_{name}"] for name in ("mean", "var"))
        if training:
            self.state[f"{index}.num_batches_tracked"] += 1
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
        """The state dict of one head, a copy."""
        state = {}
        for name in self._template.state_dict():
            if name in self.state:
                state[name] = self.state[name][job].clone()
                continue
            value = self.parameters[name].detach().select(self.job_axis(name), job)
            is_matrix = self.parameters[name].dim() == 3
            state[name] = (value.T if is_matrix else value).clone(
                memory_format=torch.contiguous_format
            )
        return state


def _shapes(module: nn.Module) -> list[torch.Size]:
    return [value.shape for value in module.state_dict().values()]
