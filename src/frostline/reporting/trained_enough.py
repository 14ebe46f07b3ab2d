"""Which configurations had not finished learning, from their curves by epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Training:
    """How far the runs of a cell were trained.

    Attributes:
        n_epochs: Epochs of each seed.
        best: Best epoch of each seed by the runs' own monitor, from 1.
        loss: What the last quarter took off the validation loss; None with too few epochs.
        monitored: What it added to the monitored metric.
        train_share: Training loss at the end, as a share of the validation loss; NaN if unknown.
    """

    n_epochs: Sequence[int]
    best: Sequence[int]
    loss: LateGain | None
    monitored: LateGain | None
    train_share: float

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
    def finished(self) -> bool:
        """Whether more epochs would hardly have helped, as far as the curves show."""
        gains = self.monitored is not None and self.monitored.beyond_noise
        return not (self.still_falls or (self.best_is_last and gains))


def trainings(verdict: Verdict, source: Source) -> dict[str, Training]:
    """Read the curves of the best cells, as many as are tested one by one; by name of the cell."""
    read = {}
    for row in verdict.rows[: verdict.rules.max_tested]:
        training = _training(row.cell, source)
        if training is not None:
            read[row.cell.name] = training
    return read


def training_table(trained: Mapping[str, Training]) -> Table:
    """How far each configuration was trained."""
    columns = [
        Column("configuration"),
        Column("epochs", "count"),
        Column("best epoch of each seed, from 1"),
        Column("val loss fell in the last quarter, %", "percent"),
        Column("noise (standard error), %", "percent"),
        Column("training loss, % of validation loss", "percent"),
        Column("finished learning"),
    ]
    rows: list[list[Value]] = []
    for name, one in trained.items():
        loss = one.loss
        scale = loss.share / loss.gain if loss is not None and loss.gain else float("nan")
        known = loss is not None or one.monitored is not None
        rows.append(
            [
                name,
                max(one.n_epochs),
                ", ".join(map(str, one.best)),
                None if loss is None else loss.share,
                None if loss is None else loss.se * scale,
                one.train_share,
                ("yes" if one.finished else "no") if known else "too few epochs to tell",
            ]
        )
    title = "How far each configuration was trained"
    return Table("trained", title, columns, rows, folded=True)


def _training(cell: Cell, source: Source) -> Training | None:
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
    )


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
