"""Which configurations had not finished learning, from their curves by epoch."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import yaml

from frostline.reporting.tables import Column, Table, Value
from frostline.stats.cell import Cell
from frostline.stats.learning import LateGain, last_quarter, late_gain
from frostline.stats.verdict import Verdict
from frostline.tracking.run_contents import CONFIG_FILE, Source

LOSS, TRAIN_LOSS = "val/loss", "train/loss"
# Of the validation loss, in the last quarter: what falls less gains little by more epochs.
MIN_SHARE, MIN_FALL = 0.01, 0.005
LEARNED = 0.1
_MONITOR = ("val/f1_macro", "max")
Finished = Literal["yes", "no", "too few epochs to tell"]


@dataclass(frozen=True)
class Training:
    """How far the runs of a cell were trained.

    Attributes:
        n_epochs: Epochs of each seed.
        best: Best epoch of each seed by the runs' own monitor, from 1.
        loss: What the last quarter took off the validation loss; None with too few epochs.
        monitored: What it added to the monitored metric.
        train_share: Training loss at the end, as a share of the validation loss; NaN if unknown.
        last_step: By what share the last epoch lowered the validation loss of each seed; negative
            where it rose, and where it had been lower before.
        is_solved: Whether it is a head that was solved exactly, without epochs.
    """

    n_epochs: Sequence[int]
    best: Sequence[int]
    loss: LateGain | None
    monitored: LateGain | None
    train_share: float
    last_step: Sequence[float] = ()
    is_solved: bool = False

    @property
    def best_is_last(self) -> bool:
        """Whether the best epoch is the last one, in most seeds."""
        at_end = sum(best == n for best, n in zip(self.best, self.n_epochs, strict=True))
        return 2 * at_end > len(self.best)

    @property
    def still_falls(self) -> bool:
        """Whether the validation loss fell in the last quarter, beyond noise and by 1 % or more.

        Where the training images are learned (a training loss below a tenth of that on validation),
        it falls because the learning rate does, not because more is being learned.
        """
        if self.loss is None or self.train_share < LEARNED:
            return False
        enough = self.loss.share >= MIN_SHARE and self.loss.gain >= MIN_FALL
        return enough and self.loss.beyond_noise

    @property
    def too_short(self) -> bool:
        """Whether there are too few epochs to tell noise from learning."""
        return not self.is_solved and self.loss is None and self.monitored is None

    @property
    def falls_at_once(self) -> bool:
        """Whether the loss of a short run still fell in its last epoch, in most seeds."""
        falling = sum(step >= MIN_SHARE for step in self.last_step)
        return self.too_short and 2 * falling > max(len(self.last_step), 1)

    @property
    def finished(self) -> Finished:
        """Whether more epochs would hardly have helped, as far as the curves show."""
        if self.is_solved:
            return "yes"
        if self.too_short:
            return "no" if self.falls_at_once else "too few epochs to tell"
        gains = self.monitored is not None and self.monitored.beyond_noise
        return "no" if self.still_falls or (self.best_is_last and gains) else "yes"


def trainings(
    verdict: Verdict, source: Source, solved: Collection[str] = ()
) -> dict[str, Training]:
    """Read the curves of the best cells, as many as are tested one by one; by name of the cell.

    Args:
        verdict: The cells.
        source: Where their curves come from.
        solved: Cells whose heads were solved exactly.
    """
    read = {}
    for row in verdict.rows[: verdict.rules.max_tested]:
        training = _training(row.cell, source, is_solved=row.cell.name in solved)
        if training is not None:
            read[row.cell.name] = training
    return read


def unfinished(trained: Mapping[str, Training]) -> str:
    """A sentence for the headline; empty where all had finished learning, or nothing is known."""
    states = [one.finished for one in trained.values()]
    n_short, n_open = states.count("too few epochs to tell"), states.count("no")
    if n_open and len(states) == 1:
        return "It had not finished learning: more epochs may raise its score."
    if n_open:
        return (
            f"{n_open} of {len(states)} configurations had not finished learning, so the order may "
            "change with more epochs."
        )
    if n_short:
        most = max(max(one.n_epochs) for one in trained.values() if one.too_short)
        epochs = "1 epoch is" if most == 1 else f"{most} epochs are"
        return f"{epochs} too few to tell whether learning was finished."
    return ""


def training_table(trained: Mapping[str, Training]) -> Table:
    """How far each configuration was trained."""
    columns = [
        Column("configuration"),
        Column("epochs", "count"),
        Column("best epoch of each run, from 1"),
        Column("val loss fell in the last quarter, %", "percent"),
        Column("noise (standard error), %", "percent"),
        Column("training loss, % of validation loss", "percent"),
        Column("finished learning"),
    ]
    rows: list[list[Value]] = []
    for name, one in trained.items():
        loss = one.loss
        scale = loss.share / loss.gain if loss is not None and loss.gain else float("nan")
        rows.append(
            [
                name,
                max(one.n_epochs),
                ", ".join(map(str, one.best)),
                None if loss is None else loss.share,
                None if loss is None else loss.se * scale,
                one.train_share,
                "solved exactly" if one.is_solved else one.finished,
            ]
        )
    title = "How far each configuration was trained"
    return Table("trained", title, columns, rows, folded=True)


def _training(cell: Cell, source: Source, *, is_solved: bool) -> Training | None:
    """None where nothing is recorded by epoch."""
    run_ids = list(cell.run_ids.values())
    monitor, mode = _monitor(source.text(run_ids[0], CONFIG_FILE)) if run_ids else _MONITOR
    losses = [_values(source, run_id, LOSS) for run_id in run_ids]
    falls = mode == "min"
    scores = losses if monitor == LOSS else [_values(source, r, monitor) for r in run_ids]
    scores = [curve for curve in scores if curve]
    if not scores:
        return None
    pick = np.argmin if falls else np.argmax
    return Training(
        n_epochs=[len(curve) for curve in scores],
        best=[int(pick(curve)) + 1 for curve in scores],
        loss=late_gain(losses, falls=True),
        monitored=late_gain(scores, falls=falls),
        train_share=_end([_values(source, r, TRAIN_LOSS) for r in run_ids]) / _end(losses),
        last_step=[_last_step(curve) for curve in losses if len(curve) > 1],
        is_solved=is_solved,
    )


def _last_step(losses: Sequence[float]) -> float:
    """By what share the last value lies below the lowest one before it."""
    lowest = min(losses[:-1])
    return (lowest - losses[-1]) / max(abs(lowest), 1e-12)


def _end(curves: Sequence[Sequence[float]]) -> float:
    """Mean of the last quarter of the epochs, of all seeds; NaN where nothing is recorded."""
    ends = [float(np.mean(curve[-last_quarter(len(curve)) :])) for curve in curves if curve]
    return float(np.mean(ends)) if ends else float("nan")


def _values(source: Source, run_id: str, metric: str) -> list[float]:
    return [value for _, value in source.curve(run_id, metric) if np.isfinite(value)]


def _monitor(config: str | None) -> tuple[str, str]:
    """The metric that a run's best epoch is chosen by, and whether its `max` or `min` is best."""
    try:
        loaded = yaml.safe_load(config) if config else None
    except yaml.YAMLError:
        return _MONITOR
    callbacks = loaded.get("callbacks") if isinstance(loaded, dict) else None
    if not isinstance(callbacks, dict):
        return _MONITOR
    return str(callbacks.get("monitor", _MONITOR[0])), str(callbacks.get("mode", _MONITOR[1]))
