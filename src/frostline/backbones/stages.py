"""A backbone's stages before anything is loaded: cheap enough to check every job of a sweep."""

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import nn

from frostline.backbones.build import create_timm, input_spec, walk_model
from frostline.backbones.depth import resolve_depth
from frostline.backbones.execution_order import Timeline
from frostline.backbones.names import check_backbone_name
from frostline.backbones.spec import InputSpec, Stage
from frostline.backbones.stage_scale import divide


class Outline(NamedTuple):
    """A model without numbers and what is known about it."""

    model: nn.Module
    input: InputSpec
    timeline: Timeline
    stages: tuple[Stage, ...]


class DepthCheck(NamedTuple):
    """What a value of ``freeze`` comes to.

    Args:
        frozen_stages: Whole stages that are frozen.
        num_stages: Stages of the backbone.
    """

    frozen_stages: int
    num_stages: int


@lru_cache(maxsize=16)
def outline(name: str, image_size: int | None) -> Outline:
    """Divide a backbone into stages without its weights, on the meta device.

    Args:
        name: A backbone's name.
        image_size: Side of the input in pixels; None for the weights' own.

    Raises:
        BackboneError: The name is unknown, the size impossible, the model not divisible.
    """
    check_backbone_name(name)
    spec = input_spec(name, image_size)
    with torch.device("meta"):
        model = create_timm(name, spec)
    timeline = walk_model(name, model, spec)
    return Outline(model, spec, timeline, divide(model, timeline, name))


def check_freeze(name: str, freeze: int | str, image_size: int | None) -> DepthCheck:
    """Check a value of ``freeze`` against a backbone without loading any weights.

    Args:
        name: A backbone's name.
        freeze: A number, ``all`` or a module path.
        image_size: Side of the input in pixels; None for the weights' own.

    Raises:
        BackboneError: The backbone has no such depth; the message holds its table.
    """
    model, _, timeline, stages = outline(name, image_size)
    depth = resolve_depth(name, model, timeline, stages, freeze)
    return DepthCheck(depth.stages, len(stages))
