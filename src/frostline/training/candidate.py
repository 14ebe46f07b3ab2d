"""Candidates of a tuned job: their values, how far they trained, and which of them is the best.

All candidates of a cell train the same epochs of the same full schedule on the same images, and the
lowest validation loss wins. The loss, not the score: a small validation set has few different
scores. Early in a schedule it is the loss at the best temperature, since a high rate that separates
the classes well is far too sure of itself then (docs/tuning.md has the figures).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from frostline.config.tune_grid import LR
from frostline.training.schedule import Phase

LOSS = "val/loss"
# The same of logits at their best temperature: `frostline.training.scaled_loss`.
SCALED_LOSS = "val/loss_scaled"
# Losses of two candidates that differ by less than this share may still change places.
CLOSE = 0.05
# With few images an epoch has a few steps, after which no rate can be judged: at least so many
# steps are trained, but no more than this share of all epochs for it.
MIN_STEPS = 10
MOST = 1 / 3
# `open`: not trained as far as the others yet. `diverged`: its loss became NaN or infinite.
# `left out`: not begun, since a lower rate was no better than guessing already.
State = Literal["open", "trained", "diverged", "left out"]


@dataclass
class Candidate:
    """One combination of values.

    Attributes:
        values: Tuned key to its value.
        state: How far it is.
        epochs: Metrics of each epoch that it trained, from 0.
        seconds: What it took.
        chance_loss: Loss of guessing by the number of classes; NaN until it is known.
        length: Epochs of its schedule, where they are not those of the job.
        l2: Of a head that was solved exactly, the strength of its penalty on features of unit
            scale: see frostline.training.exact_head.
    """

    values: dict[str, float]
    state: State = "open"
    epochs: dict[int, dict[str, float]] = field(default_factory=dict)
    seconds: float = 0.0
    chance_loss: float = math.nan
    length: int | None = None
    l2: float | None = None

    @property
    def loss(self) -> float:
        """What is compared; infinite where there is nothing that counts.

        Of a candidate that is judged early the scaled loss of its latest epoch, of one that was
        trained to its end the lowest validation loss of any epoch.
        """
        if self.state != "trained" or not self.epochs:
            return math.inf
        latest = self.epochs[max(self.epochs)]
        if SCALED_LOSS in latest:
            return latest[SCALED_LOSS]
        return min(each[LOSS] for each in self.epochs.values())

    @property
    def recorded_epochs(self) -> dict[int, dict[str, float]]:
        """The metrics of each epoch as a run records them."""
        return {
            epoch: {name: value for name, value in metrics.items() if name != SCALED_LOSS}
            for epoch, metrics in sorted(self.epochs.items())
        }

    @property
    def label(self) -> str:
        """Such as `lr=0.0016`."""
        if self.l2 is not None:
            return f"solved exactly, l2={self.l2:.2g}"
        return ", ".join(f"{key}={value:g}" for key, value in self.values.items())

    def plain(self) -> dict[str, Any]:
        """As plain values, for a file."""
        return {
            "values": self.values,
            "state": self.state,
            "epochs": {str(epoch): metrics for epoch, metrics in self.epochs.items()},
            "seconds": self.seconds,
            "chance_loss": None if math.isnan(self.chance_loss) else self.chance_loss,
            "length": self.length,
            "l2": self.l2,
        }

    @classmethod
    def from_plain(cls, content: Mapping[str, Any]) -> "Candidate":
        """From what `plain` returned."""
        return cls(
            values=dict(content["values"]),
            state=content["state"],
            epochs={int(epoch): dict(metrics) for epoch, metrics in content["epochs"].items()},
            seconds=float(content["seconds"]),
            chance_loss=math.nan if content["chance_loss"] is None else content["chance_loss"],
            length=content["length"],
            l2=content["l2"],
        )


def best_of(candidates: Sequence[Candidate]) -> int | None:
    """The place of the candidate with the lowest validation loss; None if all diverged.

    Args:
        candidates: All of a cell, trained equally far. The first of equal ones wins.
    """
    losses = [candidate.loss for candidate in candidates]
    lowest = min(losses, default=math.inf)
    return losses.index(lowest) if math.isfinite(lowest) else None


def closest(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The best candidate, and the second where its loss is too close to distinguish them.

    Args:
        candidates: All of a cell, trained equally far.
    """
    ranked = sorted((each for each in candidates if math.isfinite(each.loss)), key=_loss)[:2]
    return [each for each in ranked if each.loss <= (1 + CLOSE) * ranked[0].loss]


def _loss(candidate: Candidate) -> float:
    return candidate.loss


def is_hopeless(candidate: Candidate, before: Sequence[Candidate]) -> bool:
    """Whether higher rates than this one need not be tried.

    That is so if it ended worse than guessing, or diverged, while a lower rate did better: it has
    overshot, and a higher rate overshoots more.

    Args:
        candidate: One that was trained, of a grid over `lr` alone.
        before: Those with lower rates.
    """
    if set(candidate.values) != {LR}:
        return False
    plain = min((each[LOSS] for each in candidate.epochs.values()), default=math.inf)
    overshot = candidate.state == "diverged" or plain > candidate.chance_loss
    return overshot and any(lower.loss < candidate.loss for lower in before)


def first_part(phases: Sequence[Phase], *, share: float, steps_per_epoch: int) -> int:
    """How many epochs all candidates train: a share of the schedule, and enough steps to judge by.

    Of a schedule with phases they count from the first thaw: what the head does alone says little
    about the stages that train after it.

    Args:
        phases: Of the run.
        share: Of all epochs; at least one epoch is trained.
        steps_per_epoch: Steps of the optimiser.
    """
    epochs = phases[-1].end
    begin = phases[0].first_epoch if len(phases) == 1 else phases[1].first_epoch
    enough = min(math.ceil(MIN_STEPS / max(1, steps_per_epoch)), max(1, round(MOST * epochs)))
    return min(epochs, begin + max(more_epochs(epochs, share=share), enough))


def more_epochs(epochs: int, *, share: float) -> int:
    """How much further the two best train where they are close: a share, at least one epoch."""
    return max(1, round(share * epochs))
