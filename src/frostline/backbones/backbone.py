"""A backbone: a timm model without its classifier, its stages, and where its weights came from."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from frostline.backbones.depth import Depth
from frostline.backbones.execution_order import Timeline
from frostline.backbones.resolve_depth import resolve_depth
from frostline.backbones.spec import InputSpec, Stage, WeightsInfo
from frostline.backbones.state_digest import FrozenPart, digest_of


@dataclass
class AsBuilt:
    """What was found out about weights as they were built, shared by copies of one backbone.

    Attributes:
        digests: Names of frozen tensors to their digest.
        cuts: Boundary and pooling of a proven cut to what the proof found.
    """

    digests: dict[frozenset[str], str] = field(default_factory=dict)
    cuts: dict[tuple[object, ...], Any] = field(default_factory=dict)


class Backbone(nn.Module):
    """A timm model without its classifier, divided into stages.

    `model` is the plain timm module: its parameters keep timm's own names, so a state dict of it
    loads into `timm.create_model` of the same name and back.

    Args:
        name: The timm name.
        model: The model.
        spec: How its input images are prepared.
        timeline: In which order its forward pass uses its parts, and what each costs.
        stages: Its stages, 1..S.
        weights: Where its weights came from.
    """

    def __init__(
        self,
        name: str,
        model: nn.Module,
        spec: InputSpec,
        timeline: Timeline,
        stages: tuple[Stage, ...],
        weights: WeightsInfo,
    ) -> None:
        super().__init__()
        self.name = name
        self.model = model
        self.input = spec
        self.timeline = timeline
        self.stages = stages
        self.weights = weights
        # Set by `set_pool` while the model pools in another way than its own.
        self.original_pooling: Any = None
        # Set by `backbone_of_job`, and used before anything trains.
        self.as_built: AsBuilt | None = None

    @property
    def total_params(self) -> int:
        """Number of values in all parameters, without the head."""
        return sum(parameter.numel() for parameter in self.model.parameters())

    def depth(self, freeze: int | str) -> Depth:
        """Resolve a value of `freeze` for this backbone.

        Raises:
            BackboneError: The depth is out of range or not a module path.
        """
        return resolve_depth(self.name, self.model, self.timeline, self.stages, freeze)

    def digest_as_built(self, part: FrozenPart) -> str:
        """Digest of frozen tensors; call it before anything trains.

        Args:
            part: Of this backbone's model.
        """
        known = {} if self.as_built is None else self.as_built.digests
        if part.names not in known:
            known[part.names] = digest_of(part)
        return known[part.names]

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised images `(N, 3, S, S)` float to the model's own features `(N, F)`."""
        return torch.as_tensor(self.model(x))
