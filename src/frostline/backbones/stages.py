"""A backbone's stages without its weights: cheap enough to check every job of a sweep."""

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import nn

from frostline.backbones.build import create_timm, input_spec, timeline_of
from frostline.backbones.depth import Depth, resolve_depth
from frostline.backbones.execution_order import Timeline
from frostline.backbones.names import check_backbone_name
from frostline.backbones.spec import InputSpec, Stage
from frostline.backbones.stage_scale import divide_into_stages


class Outline(NamedTuple):
    """A model on the meta device, and its stages."""

    model: nn.Module
    input: InputSpec
    timeline: Timeline
    stages: tuple[Stage, ...]


@lru_cache(maxsize=16)
def outline(name: str, image_size: int | None) -> Outline:
    """Divide a backbone into stages without its weights, on the meta device.

    Args:
        name: A backbone's name.
        image_size: Side of the input in pixels; None for the weights' own.

    Raises:
        BackboneError: The name is unknown, the size impossible, or the model cannot be divided.
    """
    check_backbone_name(name)
    spec = input_spec(name, image_size)
    with torch.device("meta"):
        model = create_timm(name, spec)
    timeline = timeline_of(name, model, spec)
    return Outline(model, spec, timeline, divide_into_stages(model, timeline, name))


def check_freeze(name: str, freeze: int | str, image_size: int | None) -> Depth:
    """Resolve a value of `freeze` for a backbone without loading any weights.

    Args:
        name: A backbone's name.
        freeze: A number, `all` or a module path.
        image_size: Side of the input in pixels; None for the weights' own.

    Raises:
        BackboneError: The backbone has no such depth; the message contains the table of stages.
    """
    model, _, timeline, stages = outline(name, image_size)
    return resolve_depth(name, model, timeline, stages, freeze)
