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
        most: The most epochs that it may have, where patience may end it sooner: see
            `frostline.training.phase_end`; None for a fixed length.
    """

    first_epoch: int
    epochs: int
    freeze: int | str
    lr_factor: float
    thawed_bn: Literal["eval", "train"] = "train"
    most: int | None = None

    @property
    def end(self) -> int:
        """The first epoch after it."""
        return self.first_epoch + self.epochs

    def __str__(self) -> str:
        last = f"-{self.end}" if self.epochs > 1 else ""
        last += "" if self.most is None else f" (of at most {self.most})"
        factor = "" if self.lr_factor == 1.0 else f", lr x {self.lr_factor:g}"
        return f"epoch {self.first_epoch + 1}{last}: freeze={self.freeze}{factor}"


def patience_of(schedule: ScheduleChoice) -> int | None:
    """Epochs without a better score after which a phase ends; None where all have fixed lengths.

    Args:
        schedule: Which one.
    """
    return None if isinstance(schedule, ConstantSchedule) else schedule.patience_epochs


def phases_of(
    schedule: ScheduleChoice,
    *,
    freeze: int | str,
    prefix_stages: int,
    num_stages: int,
    epochs: int,
) -> tuple[Phase, ...]:
    """The phases of a run, in order; together they are all its epochs.

    Where patience may end them sooner, all but the last have the most epochs that they may have.

    Args:
        schedule: Which one.
        freeze: The chosen depth, that of the last phase.
        prefix_stages: Whole stages that this depth freezes from the image on.
        num_stages: Stages of the backbone.
        epochs: Of the run.

    Raises:
        ConfigError: If there is nothing to thaw, the run ends before `freeze` is reached, or
            patience could never end a phase.

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
            _check_patience(schedule.patience_epochs, schedule.head_epochs, "schedule.head_epochs")
            return (
                Phase(0, schedule.head_epochs, HEAD_ALONE, 1.0, most=_most(schedule)),
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
    _check_patience(schedule.patience_epochs, each, "schedule.every_epochs")
    return tuple(
        Phase(
            place * each,
            each if place < len(depths) - 1 else epochs - reached,
            depth,
            schedule.lr_factor if place else 1.0,
            schedule.thawed_bn if place else "train",
            _most(schedule) if place < len(depths) - 1 else None,
        )
        for place, depth in enumerate(depths)
    )


def _most(schedule: HeadFirst | Gradual) -> int | None:
    """The most epochs of a phase that patience may end; None where it may not."""
    if schedule.patience_epochs is None:
        return None
    return schedule.head_epochs if isinstance(schedule, HeadFirst) else schedule.every_epochs


def _check_patience(patience: int | None, most: int, key: str) -> None:
    """Refuse a patience that the longest phase cannot run out of before its end."""
    # The first epoch is the best so far, and after the last one a phase is over anyhow.
    if patience is not None and patience + 1 >= most:
        fewer = f"schedule.patience_epochs=1 to {most - 2}, or " if most > 2 else ""
        raise ConfigError(
            f"schedule.patience_epochs={patience}: a phase has at most {key}={most} epochs, so it "
            "never ends earlier",
            f"{fewer}{key}={patience + 2} or more",
            f"give {key} the most epochs that such a phase may take, and epochs more than that",
        )


def _check_epochs(reached: int, epochs: int, given: str, freeze: int | str) -> None:
    """Refuse a run that would end before it trains what it is named after."""
    if epochs <= reached:
        raise ConfigError(
            f"{given}: freeze={freeze} is reached after {reached} epochs, and epochs={epochs}",
            f"epochs={reached + 1} or more",
            f"raise epochs to {reached + 1}, thaw sooner, or freeze more",
        )


def phases_text(phases: Sequence[Phase]) -> str:
    """The phases of a run in words, as its tag `frostline.phases` has them."""
    return "; ".join(map(str, phases))


def phase_to_train(phases: Sequence[Phase], epochs_done: int, *, until: int) -> Phase:
    """The phase of the next epoch; where there is none, the last that was begun.

    That one leads to the results, so it is entered even if nothing is left to train.

    Args:
        phases: Of the run.
        epochs_done: Epochs that the newest checkpoint has behind it.
        until: Where the training ends or pauses.
    """
    return phase_of(phases, min(epochs_done, until - 1))


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
