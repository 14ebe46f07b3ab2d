"""Measure what a step of training takes, before anything is looked at."""

import time
from contextlib import suppress

import torch

from frostline.advice.quick.costs import SIDES
from frostline.backbones.backbone import Backbone
from frostline.backbones.build import SIZE_ERRORS

_PROBE_IMAGES = 8


def step_seconds(backbone: Backbone, accelerator: str) -> float:
    """Measure what training all stages takes, seconds an image and pixel.

    Args:
        backbone: In any state, on the CPU; it is left as it was, but for its gradients.
        accelerator: Where runs train.
    """
    side = least_side(backbone)
    shape = backbone.input.shape if side is None else (backbone.input.shape[0], side, side)
    images = torch.rand(_PROBE_IMAGES, *shape, device=accelerator)
    backbone.to(accelerator)
    wanted = [one for one in backbone.parameters() if one.is_floating_point()]
    before = [one.requires_grad for one in wanted]
    for one in wanted:
        one.requires_grad_(True)
    backbone.eval()  # statistics stay as they are
    took_s = []
    for _ in range(3):
        begun_s = time.perf_counter()
        backbone(images).float().square().mean().backward()
        # Waits for the accelerator.
        sum(float(one.grad.flatten()[0]) for one in wanted[:1] if one.grad is not None)
        took_s.append(time.perf_counter() - begun_s)
    for one, was in zip(wanted, before, strict=True):
        one.grad = None
        one.requires_grad_(was)
    backbone.to("cpu")
    return min(took_s) / (_PROBE_IMAGES * shape[1] * shape[2])


def least_side(backbone: Backbone) -> int | None:
    """The smallest side for short runs that a backbone takes; None if it takes its own alone.

    Args:
        backbone: In any state, on the CPU; it is left in eval mode.
    """
    if backbone.input.fixed_size:
        return None
    own = backbone.input.shape
    backbone.eval()
    for side in sorted(side for side in SIDES if side < min(own[1:])):
        with suppress(*SIZE_ERRORS), torch.no_grad():
            backbone(torch.zeros(1, own[0], side, side))
            return side
    return None
