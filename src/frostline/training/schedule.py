"""Which stages are frozen in which epoch: a pure function of the schedule and the epoch.

Nothing here is remembered from epoch to epoch, so that a resumed run cannot get it wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from frostline.config.freeze_value import LORA, thawing
from frostline.config.recipe import ConstantSchedule, Gradual, HeadFirst, ScheduleChoice
from frostline.errors import ConfigError

HEAD_ALONE = "all"


@dataclass(frozen=True)
class Phase:
    """Epochs in a row in which the same stages are frozen.

    Attributes:
        first_epoch: Its first epoch, counted from 0.
        epochs: How many it has.
        freeze: The depth, as `freeze` takes it: such as a number of stages, `all`, or a list.
        lr_factor: On the learning rate, in addition to its schedule.
        thawed_bn: Whether the BatchNorm of stages that train takes the statistics of each batch and
            adapts its own (`train`), or keeps those that the head was trained on (`eval`).
    """

    first_epoch: int
    epochs: int
    freeze: int | str
    lr_factor: float
    thawed_bn: Literal["eval", "train"] = "train"

    @property
    def end(self) -> int:
        """The first epoch after it."""
        return self.first_epoch + self.epochs

    def __str__(self) -> str:
        last = f"-{self.end}" if self.epochs > 1 else ""
        factor = "" if self.lr_factor == 1.0 else f", lr x {self.lr_factor:g}"
        return f"epoch {self.first_epoch + 1}{last}: freeze={self.freeze}{factor}"


def phases_of(
    schedule: ScheduleChoice,
    *,
    freeze: int | str,
    prefix_stages: int,
    num_stages: int,
    epochs: int,
) -> tuple[Phase, ...]:
    """The phases of a run, in order; together they are all its epochs.

    Args:
        schedule: Which one.
        freeze: The chosen depth, that of the last phase.
        prefix_stages: Whole stages that this depth freezes from the image on.
        num_stages: Stages of the backbone.
        epochs: Of the run.

    Raises:
        ConfigError: If there is nothing to thaw, or the run ends before `freeze` is reached.

    Source: head first, then the stages above a cut with a lower rate: F. Chollet, Deep Learning
    with Python (2021), 8.3.2; one layer group more at a time, from the top: J. Howard and
    S. Ruder, Universal language model fine-tuning for text classification (arXiv:1801.06146), 3.3.
    """
    if isinstance(schedule, ConstantSchedule):
        return (Phase(0, epochs, freeze, 1.0),)
    if freeze == LORA:
        raise ConfigError(
            f"schedule={schedule.name} freeze={freeze}: adapters train from the first epoch on, "
            "and no stage thaws",
            "schedule=constant",
        )
    if prefix_stages >= num_stages:
        raise ConfigError(
            f"schedule={schedule.name} freeze={freeze}: only the head trains, so there is nothing "
            "to thaw",
            f"freeze=0 to {num_stages - 1}, or a module path above which something is left",
            "give a smaller freeze, or schedule=constant",
        )
    match schedule:
        case HeadFirst():
            _check_epochs(
                schedule.head_epochs, epochs, f"schedule.head_epochs={schedule.head_epochs}", freeze
            )
            return (
                Phase(0, schedule.head_epochs, HEAD_ALONE, 1.0),
                Phase(
                    schedule.head_epochs,
                    epochs - schedule.head_epochs,
                    freeze,
                    schedule.lr_factor,
                    schedule.thawed_bn,
                ),
            )
        case Gradual():
            return _gradual(schedule, freeze, prefix_stages, num_stages, epochs)


def _gradual(
    schedule: Gradual, freeze: int | str, prefix_stages: int, num_stages: int, epochs: int
) -> tuple[Phase, ...]:
    downwards = thawing(freeze, prefix_stages=prefix_stages, num_stages=num_stages)
    depths: list[int | str] = [HEAD_ALONE, *downwards]
    each = schedule.every_epochs
    reached = (len(depths) - 1) * each
    _check_epochs(
        reached,
        epochs,
        f"schedule.every_epochs={each}: {len(depths) - 1} thaws, one every {each} "
        f"epoch{'s' if each > 1 else ''}",
        freeze,
    )
    return tuple(
        Phase(
            place * each,
            each if place < len(depths) - 1 else epochs - reached,
            depth,
            schedule.lr_factor if place else 1.0,
            schedule.thawed_bn if place else "train",
        )
        for place, depth in enumerate(depths)
    )


def _check_epochs(reached: int, epochs: int, given: str, freeze: int | str) -> None:
    """Refuse a run that would end before it trains what it is named after."""
    if epochs <= reached:
        raise ConfigError(
            f"{given}: freeze={freeze} is reached after {reached} epochs, and epochs={epochs}",
            f"epochs={reached + 1} or more",
            f"raise epochs to {reached + 1}, thaw sooner, or freeze more",
        )


def remaining(phases: Sequence[Phase], epochs_done: int, *, until: int) -> list[Phase]:
    """The phases that are not over yet, and in any case the last one, which leads to the results.

    Args:
        phases: Of the run.
        epochs_done: Epochs that the newest checkpoint has behind it.
        until: Where the training ends or pauses; phases that begin later are left out.
    """
    begun = [phase for phase in phases if phase.first_epoch < until]
    return [phase for phase in begun[:-1] if phase.end > epochs_done] + [begun[-1]]


def phase_of(phases: Sequence[Phase], epoch: int) -> Phase:
    """The phase that an epoch belongs to.

    Args:
        phases: Of the run.
        epoch: Counted from 0.

    Raises:
        ValueError: If the run has no such epoch.
    """
    for phase in phases:
        if phase.first_epoch <= epoch < phase.end:
            return phase
    raise ValueError(f"epoch {epoch} is in none of the phases {phases}")
