"""How long looks and sweeps take: pure arithmetic from one measured step of training.

A training step costs about three forward passes, of which a frozen stage needs one, once. The
time of an image grows with its pixels. Both are rough: so what looks really took corrects it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# Sides that are tried for short runs, where the question's own takes too long.
SIDES = (224, 192, 160, 128, 96, 64)
FORWARD = 1 / 3  # of a step of training


@dataclass(frozen=True)
class Costs:
    """Of one backbone and data set.

    Attributes:
        step_s: Seconds that training all stages takes on one image of one pixel.
        frozen: Value of `freeze` to the share of the forward pass that it freezes.
        n_train: Images.
        n_val: Images.
        views: Of an image in training.
        epochs: Of a run.
        first_part: Epochs before which no rate can be judged.
    """

    step_s: float
    frozen: Mapping[str, float]
    n_train: int
    n_val: int
    views: int
    epochs: int
    first_part: int

    def run_s(self, freeze: str, pixels: int, candidates: int) -> float:
        """Seconds of a run that chooses its rate among so many; 1: one that has it."""
        frozen = self.frozen[freeze]
        image_s = self.step_s * pixels
        once = frozen * FORWARD * (self.n_train * self.views + self.n_val)
        epochs = self.epochs + (candidates - 1) * self.first_part
        each = (1 - frozen) * (self.n_train + FORWARD * self.n_val)
        return image_s * (once + epochs * each)

    def head_s(self, pixels: int) -> float:
        """Seconds of a solved head: one pass over all views."""
        return self.step_s * pixels * FORWARD * (self.n_train * self.views + self.n_val)


def side_that_fits(
    costs: Costs,
    depths: Sequence[str],
    own_px: int,
    left_s: float,
    candidates: int,
    least_px: int = 0,
) -> int:
    """The largest side at which all of these depths, and the head, fit into the time.

    Args:
        costs: Of the backbone.
        depths: Values of `freeze` that train stages.
        own_px: Side that the question asks for: a larger one is never returned.
        left_s: Seconds.
        candidates: Rates that each of them tries.
        least_px: The smallest side that the backbone takes.
    """
    sides = [own_px, *(side for side in SIDES if least_px <= side < own_px)]
    for side in sides:
        pixels = side**2
        needed = sum(costs.run_s(freeze, pixels, candidates) for freeze in depths)
        if side != own_px:
            needed += costs.head_s(pixels)
        if needed <= left_s:
            return side
    return sides[-1]


def rounded_minutes(seconds: float) -> str:
    """About how long, with one digit more than is known: `40 s`, `12 min`, `3 h`."""
    if seconds < 90:
        return f"{max(10, 10 * math.ceil(seconds / 10))} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return f"{round(seconds / 3600)} h"
