"""The quick answer as values: for the terminal, for a page, for JSON."""

import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from frostline.advice.quick.quick_rows import Row, proposed
from frostline.data.sample_table import SampleTable
from frostline.data.splits import Splits

# Written by `python -m benchmarks.quick --write`.
RECORD = Path(__file__).with_name("regret.json")


@dataclass(frozen=True)
class Skipped:
    """A cell that was not looked at.

    Attributes:
        backbone: Its name.
        freeze: Its depth.
        why: The reason.
        needs_s: Seconds that it was expected to take, if that is why.
    """

    backbone: str
    freeze: str
    why: str
    needs_s: float | None = None


@dataclass(frozen=True)
class Regret:
    """How far quick answers were behind full sweeps where both were run.

    Attributes:
        sets: Data sets.
        mean: Points of test F1 by which what was proposed is below what the sweep takes, means
            over seeds; negative where it is above.
        most: The same on the worst of them.
    """

    sets: int
    mean: float
    most: float


@dataclass(frozen=True)
class QuickAnswer:
    """What a quick look found.

    Attributes:
        data: Name of the data set.
        drawn: Whether its images are the built-in drawings.
        n_train: Training images that were used.
        n_val: Validation images that were used.
        n_groups: Groups of the validation images.
        fraction: Share of the training and validation images that was used.
        rows: Cells, the best first; empty if nothing can be said.
        skipped: Cells that were not looked at.
        why_not: Why nothing can be said; empty otherwise.
        seconds: What it took.
        command: The sweep over everything.
        command_s: About what that takes, seconds.
        close_command: The sweep over what cannot be distinguished from the first row; empty where
            that is one cell, or all.
        close_s: About what that takes.
    """

    data: str
    drawn: bool
    n_train: int
    n_val: int
    n_groups: int
    fraction: float
    rows: tuple[Row, ...]
    skipped: tuple[Skipped, ...]
    why_not: str
    seconds: float
    command: str
    command_s: float
    close_command: str
    close_s: float

    @classmethod
    def without(
        cls, table: SampleTable, splits: Splits, why_not: str, drawn: bool
    ) -> "QuickAnswer":
        """An answer that says why there is none."""
        groups = len(np.unique(table.groups[splits.val]))
        return cls(
            data=table.name,
            drawn=drawn,
            n_train=len(splits.train),
            n_val=len(splits.val),
            n_groups=groups,
            fraction=1.0,
            rows=(),
            skipped=(),
            why_not=why_not,
            seconds=0.0,
            command="",
            command_s=0.0,
            close_command="",
            close_s=0.0,
        )

    def plain(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        known = recorded_regret()
        return {
            **asdict(self),
            "rows": [{**asdict(row), "is_behind": row.is_behind} for row in self.rows],
            "proposed": asdict(proposed(self.rows)) if self.rows else None,
            "score": "val/f1_macro",
            "measured_regret": None if known is None else asdict(known),
        }


@cache
def recorded_regret() -> Regret | None:
    """What was measured of such answers; None before it was."""
    if not RECORD.is_file():
        return None
    return Regret(**json.loads(RECORD.read_text(encoding="utf-8")))
