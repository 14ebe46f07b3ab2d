"""The ways to end the training of heads, and the table that compares them."""

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results" / "head_end.jsonl"
EPOCHS, DOUBLINGS = 6, 4
LENGTHS = [EPOCHS * 2**doubling for doubling in range(DOUBLINGS + 1)]
GAIN = 0.01  # of the validation loss, below which schedules are not doubled again
PATIENCE_EPOCHS = 12
BASE = f"{EPOCHS} epochs, best of the grid"
SOLVED = "**solved: L-BFGS over a path of L2**"
STANDARDISED = "the same, features standardised"
COLUMNS = ("test accuracy", "macro F1", "validation loss", "epochs in all", "processor s")
Result = Mapping[str, Any]


@dataclass(frozen=True)
class Curves:
    """What was scored on the way: rows are epochs or penalties, columns are rates.

    Attributes:
        val_loss: Validation loss.
        test_acc: Share of right test images.
        test_f1: Macro F1 on them.
        seconds: Of the processor, for all of it.
    """

    val_loss: list[list[float]]
    test_acc: list[list[float]]
    test_f1: list[list[float]]
    seconds: float

    def end(self, until: int | None = None) -> dict[str, float]:
        """The head with the lowest validation loss of the first so many rows."""
        loss = np.array(self.val_loss)[:until]
        loss = np.where(np.isfinite(loss), loss, np.inf)
        row, rate = (int(place) for place in np.unravel_index(loss.argmin(), loss.shape))
        share = len(loss) / len(self.val_loss)
        values = (
            self.test_acc[row][rate], self.test_f1[row][rate], self.val_loss[row][rate],
            len(loss), share * self.seconds,
        )  # fmt: skip
        return dict(zip(COLUMNS, values, strict=True))


def ends_of(
    cosine: Mapping[int, Curves], constant: Curves, solved: Mapping[str, Curves]
) -> dict[str, dict[str, float]]:
    """What each way ends with in one case, rounded.

    Args:
        cosine: Of each length of the schedule.
        constant: At a constant rate.
        solved: The exact solutions, by name.
    """
    ends = {
        BASE: cosine[LENGTHS[0]].end(),
        **{f"{epochs} epochs": cosine[epochs].end() for epochs in LENGTHS[2::2]},
        f"doubled while the loss falls by {GAIN:.0%}": _doubled(cosine),
        f"constant rate, patience {PATIENCE_EPOCHS}": constant.end(_until(constant)),
        **{name: curves.end() for name, curves in solved.items()},
    }
    return {
        name: {column: round(value, 4) for column, value in end.items()}
        for name, end in ends.items()
    }


def _doubled(cosine: Mapping[int, Curves]) -> dict[str, float]:
    """Schedules twice as long each while that lowers the loss; all of them are paid for."""
    tried: list[dict[str, float]] = []
    for epochs in LENGTHS:
        tried.append(cosine[epochs].end())
        losses = [end["validation loss"] for end in tried]
        if len(losses) > 1 and not losses[-1] < losses[-2] * (1 - GAIN):
            break
    best = min(tried, key=lambda end: end["validation loss"])
    paid = ("epochs in all", "processor s")
    return best | {column: sum(end[column] for end in tried) for column in paid}


def _until(constant: Curves) -> int:
    """Epochs until no rate had a new lowest validation loss for so many."""
    lowest, since = math.inf, 0
    for epoch, losses in enumerate(constant.val_loss, start=1):
        now = min((loss for loss in losses if math.isfinite(loss)), default=math.inf)
        lowest, since = (now, 0) if now < lowest else (lowest, since + 1)
        if since >= PATIENCE_EPOCHS:
            return epoch
    return len(constant.val_loss)


def read_results() -> list[dict[str, Any]]:
    """All cases that were run."""
    if not RESULTS.is_file():
        return []
    return [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()]


def print_tables(results: Sequence[Result]) -> None:
    """Print the mean over the data sets, in which each counts the same, and each set's own."""
    by_data: dict[str, list[Result]] = {}
    for result in sorted(results, key=lambda each: (each["data"], each["seed"])):
        by_data.setdefault(result["data"], []).append(result)
    print(
        "| way | test accuracy | against the first | macro F1 | validation loss | "
        "epochs in all | processor s |\n|---|---|---|---|---|---|---|"
    )
    ways = list(results[0]["ways"])
    for way in ways:
        means = {
            column: statistics.mean(_mean(own, way, column) for own in by_data.values())
            for column in COLUMNS
        }
        solves = way in (SOLVED, STANDARDISED)
        print(
            f"| {way} | {100 * means['test accuracy']:.1f} | {_against(by_data, way)} | "
            f"{100 * means['macro F1']:.1f} | {means['validation loss']:.3f} | "
            f"{means['epochs in all']:.0f}{' values of L2' if solves else ''} | "
            f"{means['processor s']:.1f} |"
        )
    print("\n| data | seeds | " + " | ".join(ways) + " |\n" + "|---" * (2 + len(ways)) + "|")
    for data, own in by_data.items():
        scores = " | ".join(f"{100 * _mean(own, way, 'test accuracy'):.1f}" for way in ways)
        print(f"| {data} | {len(own)} | {scores} |")


def _mean(results: Sequence[Result], way: str, column: str) -> float:
    return statistics.mean(result["ways"][way][column] for result in results)


def _against(by_data: Mapping[str, Sequence[Result]], way: str) -> str:
    """Points above the first way, with the standard error over the seeds of each data set."""
    if way == BASE:
        return ""
    gains, squares = [], []
    for own in by_data.values():
        pairs = [
            100 * (r["ways"][way]["test accuracy"] - r["ways"][BASE]["test accuracy"]) for r in own
        ]
        gains.append(statistics.mean(pairs))
        squares.append(statistics.variance(pairs) / len(pairs) if len(pairs) > 1 else math.nan)
    error = math.sqrt(math.fsum(squares)) / len(gains)
    return f"{statistics.mean(gains):+.1f} ± {error:.1f}"
