"""The learning rate over a run: a curve over the steps, the phase's factor, drops at plateaus.

The curve covers the whole run and does not start again when a stage thaws: two schedules in one
sweep then differ in what is frozen, not in their rates, and pretrained stages are never trained at
a rate that has just jumped back to its peak.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.optim.lr_scheduler import LambdaLR

from frostline.config.recipe import ConstantLr, CosineLr, LrChoice, PlateauLr, StepLr
from frostline.training.phase_end import phases_after
from frostline.training.schedule import Phase, phase_of

# What counts as better: by this share of the best value, as in torch's ReduceLROnPlateau.
PLATEAU_THRESHOLD = 1e-4


@dataclass(frozen=True)
class Course:
    """What the learning rates of a run follow besides their curve.

    Attributes:
        phases: Of the run, as planned.
        scales: Name of a parameter in the task to its factor; 1 for those that are not named.
        monitor: The validation metric in which a plateau is looked for, such as `val/loss`.
        mode: `max` or `min`.
        patience_epochs: Epochs without a better value after which a phase ends; None for never.
    """

    phases: tuple[Phase, ...]
    scales: Mapping[str, float]
    monitor: str
    mode: str
    patience_epochs: int | None = None

    def phases_after(self, scores: Sequence[float]) -> tuple[Phase, ...]:
        """The phases as far as the scores of all epochs so far say; the rest is as planned."""
        return phases_after(
            self.phases, scores, patience_epochs=self.patience_epochs, mode=self.mode
        )

    @property
    def epochs(self) -> int:
        """Of the whole run."""
        return self.phases[-1].end


def lr_factor(spec: LrChoice, *, total_steps: int, steps_per_epoch: int) -> Callable[[int], float]:
    """The factor on the learning rate as a function of the optimiser step, counted from 0.

    Warm-up rises linearly over the first `warmup_frac` of all steps, for every curve.

    Args:
        spec: The schedule; of `plateau` only the warm-up, since its drops depend on the scores.
        total_steps: Optimiser steps of the whole run.
        steps_per_epoch: Optimiser steps of one epoch.
    """
    warmup = round(spec.warmup_frac * total_steps)

    def curve(step: int) -> float:
        match spec:
            case CosineLr():
                done = (step - warmup) / max(1, total_steps - warmup)
                return 0.5 * (1 + math.cos(math.pi * min(1.0, max(0.0, done))))
            case StepLr():
                return float(spec.gamma ** (step // steps_per_epoch // spec.every_epochs))
            case ConstantLr() | PlateauLr():
                return 1.0

    def factor(step: int) -> float:
        return curve(step) * (step + 1) / (warmup + 1) if step < warmup else curve(step)

    return factor


def phase_factor(phases: Sequence[Phase], *, steps_per_epoch: int) -> Callable[[int], float]:
    """The factor of the phase that an optimiser step belongs to; past the end, of the last one.

    Args:
        phases: Of the run.
        steps_per_epoch: Optimiser steps of one epoch.
    """
    last_epoch = phases[-1].end - 1

    def factor(step: int) -> float:
        return phase_of(phases, min(step // steps_per_epoch, last_epoch)).lr_factor

    return factor


def plateau_drops(
    scores: Sequence[float], *, mode: str, patience_epochs: int, restarts: Sequence[int] = ()
) -> list[int]:
    """The epochs after which the learning rate drops: more than so many in a row were no better.

    Args:
        scores: The monitored metric of each epoch so far.
        mode: `max` or `min`.
        patience_epochs: The rate drops after more epochs than this without a better value.
        restarts: Epochs at which counting restarts, the first of each phase: earlier scores do not
            show what stages can do that were still frozen. The best value is not reset.

    Source: torch.optim.lr_scheduler.ReduceLROnPlateau, with its relative threshold.
    """
    best = -math.inf if mode == "max" else math.inf
    waited = 0
    drops = []
    for epoch, score in enumerate(scores):
        waited = 0 if epoch in restarts else waited
        margin = 1 + PLATEAU_THRESHOLD if mode == "max" else 1 - PLATEAU_THRESHOLD
        if (score > best * margin) if mode == "max" else (score < best * margin):
            best, waited = score, 0
        else:
            waited += 1
        if waited > patience_epochs:
            drops.append(epoch)
            waited = 0
    return drops


def plateau_factor(spec: PlateauLr, *, drops: int, lr: float) -> float:
    """The factor on the learning rate after so many drops; `lr` is not brought below `min_lr`.

    Args:
        spec: Factor and floor.
        drops: How often it dropped.
        lr: The peak learning rate, without the factors of phases and stages.
    """
    return max(float(spec.factor**drops), min(1.0, spec.min_lr / lr))


class Rates(LambdaLR):
    """Sets the rate of every group before every step, and keeps the scores of the epochs.

    Args:
        optimizer: Its groups hold their peak rates.
        factor_after: From the scores of all epochs so far to the factor by the optimiser step.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        factor_after: Callable[[Sequence[float]], Callable[[int], float]],
    ) -> None:
        self.scores: list[float] = []
        self._factor_after = factor_after
        self._factor = factor_after([])
        super().__init__(optimizer, lambda step: self._factor(step))

    def note(self, score: float) -> None:
        """Add the score of the epoch that has just been validated, before the next step."""
        self.scores.append(score)
        self._factor = self._factor_after(self.scores)
        for group, base, factor in zip(
            self.optimizer.param_groups, self.base_lrs, self.lr_lambdas, strict=True
        ):
            group["lr"] = base * factor(self.last_epoch)

    def state_dict(self) -> dict[str, Any]:
        """Plain numbers."""
        return {
            "last_epoch": self.last_epoch,
            "base_lrs": list(self.base_lrs),
            "scores": list(self.scores),
            "_step_count": self._step_count,
            "_last_lr": list(self._last_lr),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a checkpoint."""
        vars(self).update(state_dict | {"scores": list(state_dict["scores"])})
        self._factor = self._factor_after(self.scores)
