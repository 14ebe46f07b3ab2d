"""What is kept of each run from which the regret of a choice is computed: its curves and scores."""

import gzip
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

CENTER = 5e-4
# The step of a run that chose for itself, with `lr=auto`.
AUTO = 100
# Names of a curve's figures at an epoch, in the order in which a row holds them; in first epochs
# also the loss by which candidates are judged.
FIGURES = ("train/loss", "val/loss", "val/acc_micro", "val/f1_macro")
JUDGED = (*FIGURES, "val/loss_scaled")
SCORES = ("acc_micro", "f1_macro")


@dataclass(frozen=True, order=True)
class Job:
    """One run; `step` is the place of its rate, half powers of ten from 5e-4.

    Attributes:
        data: One of `regret_data.SETS`.
        freeze: 0, 2, 4 or `all`.
        head_lr_factor: Rate of the head over that of the backbone.
        layer_decay: As in the optimiser's settings.
        epochs: Of the whole schedule.
        seed: Of the run.
        step: -3 .. 5.
    """

    data: str
    freeze: str
    head_lr_factor: float
    layer_decay: float
    epochs: int
    seed: int
    step: int

    @property
    def lr(self) -> float:
        """The learning rate."""
        return CENTER * 10 ** (self.step / 2)

    @property
    def cell(self) -> "Job":
        """The same for all seeds and rates."""
        return replace(self, seed=0, step=0)


@dataclass(frozen=True)
class Row:
    """A run that was trained, or the first epochs of it.

    Attributes:
        job: Which.
        state: `trained`, `begun` (ended on purpose after its first epochs) or `diverged`.
        curve: Each epoch's `FIGURES`.
        scores: Of the chosen epoch: `val_best/...` and `test/...`; empty unless it was trained.
        n_classes: Of the data.
        seconds: What it took.
    """

    job: Job
    state: str
    curve: tuple[tuple[float, ...], ...]
    scores: Mapping[str, float]
    n_classes: int
    seconds: float

    def score(self, name: str = "test/acc_micro") -> float:
        """A score of the chosen epoch in points; that of guessing if it diverged.

        Raises:
            KeyError: If only the first epochs were trained.
        """
        return 100 / self.n_classes if self.state == "diverged" else 100 * self.scores[name]

    def plain(self) -> dict[str, Any]:
        """As plain values, rounded."""
        values = asdict(self)
        values["curve"] = [[float(f"{value:.5g}") for value in epoch] for epoch in self.curve]
        values["scores"] = {name: round(value, 5) for name, value in self.scores.items()}
        values["seconds"] = round(self.seconds, 1)
        return values

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> "Row":
        """From what `plain` returned."""
        curve = tuple(tuple(epoch) for epoch in values["curve"])
        return cls(**{**values, "job": Job(**values["job"]), "curve": curve})


Rows = dict[Job, Row]


def read_rows(path: Path) -> Rows:
    """All rows of a file of lines, packed or not; a whole run takes the place of a begun one."""
    rows: Rows = {}
    if not path.is_file():
        return rows
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        for line in file:
            row = Row.from_plain(json.loads(line))
            if row.job not in rows or rows[row.job].state == "begun":
                rows[row.job] = row
    return rows


def write_rows(rows: Iterable[Row], path: Path) -> None:
    """Write a packed file, in the order of the jobs; equal rows give equal bytes."""
    lines = [json.dumps(row.plain()) for row in sorted(rows, key=lambda row: row.job)]
    path.write_bytes(gzip.compress("\n".join([*lines, ""]).encode(), mtime=0))
