"""What `lr=auto` saw: the loss of each rate that a configuration tried, where it was judged."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from frostline.reporting.page import Figure, Section, Series
from frostline.reporting.tables import Column, Table, Value
from frostline.stats.judged_cell import Row
from frostline.stats.verdict import Verdict
from frostline.tracking.run_contents import Source

# The artifact of a tuned run, its columns, and the state of the candidate that was taken.
_FILE = "tuning.csv"
_RATE, _STATE, _EPOCH, _L2 = "lr", "state", "epoch", "l2"
_CHOSEN = "chosen"
# A candidate that is judged early has this loss at each epoch, others are judged by their lowest.
_EARLY, _LOSS = "val/loss_scaled", "val/loss"
_SECTION = "What lr=auto saw"
_TITLE = "Loss of each learning rate that was tried"


@dataclass(frozen=True)
class Tried:
    """A rate that was tried.

    Attributes:
        rate: The rate.
        loss: By which it was judged; NaN where it has none, as it diverged or was left out.
        state: `trained`, `diverged`, `left out`, or `chosen`.
    """

    rate: float
    loss: float
    state: str


def tuning_section(verdict: Verdict, source: Source) -> list[Section]:
    """The figure, of the configurations shown in detail; nothing if none was tuned."""
    shown = [(row, tried) for row in verdict.chosen if (tried := _tried_by(row, source))]
    if not shown:
        return []
    series = [_series(row.cell.name, tried, colour) for colour, (row, tried) in enumerate(shown)]
    rows: list[list[Value]] = [
        [row.cell.name, one.rate, None if math.isnan(one.loss) else one.loss, one.state]
        for row, tried in shown
        for one in tried
    ]
    columns = [
        Column("configuration"),
        Column("learning rate", "number"),
        Column("validation loss", "number"),
        Column("state"),
    ]
    caption = (
        "One line a configuration, the chosen rate ringed; where a head was solved exactly, none "
        "is. Where stages train, rates are judged after the first part of the schedule, at the "
        "temperature that suits each best; heads on stored features at their end. So compare "
        "along a line, not between lines."
    )
    figure = Figure(
        "tuning",
        _TITLE,
        caption,
        "learning rate",
        "validation loss where it was judged",
        Table("tuning", _TITLE, columns, rows, folded=True),
        series,
        log_x=True,
    )
    return [Section("tuned", _SECTION, [], [figure])]


def _series(name: str, tried: Sequence[Tried], colour: int) -> Series:
    drawn = [one for one in tried if not math.isnan(one.loss)]
    return Series(
        name,
        [one.rate for one in drawn],
        [one.loss for one in drawn],
        labels=[one.state for one in drawn],
        colour=colour,
        ringed=frozenset(place for place, one in enumerate(drawn) if one.state == _CHOSEN),
    )


def _tried_by(row: Row, source: Source) -> list[Tried]:
    """The rates of a configuration, lowest first; empty where its rate was not tuned."""
    for run_id in row.cell.run_ids.values():
        text = source.text(run_id, _FILE)
        if text is not None:
            return tried_in(text)
    return []


def tried_in(text: str) -> list[Tried]:
    """The rates in a `tuning.csv`, lowest first, of each the best candidate that has it.

    Args:
        text: The file's content; one that cannot be read has none.
    """
    candidates: dict[str, list[Mapping[str, str]]] = {}
    for line in _lines(text):
        # A head that was solved exactly does not depend on the rate.
        if line.get(_RATE) and not line.get(_L2):
            candidates.setdefault(line.get("candidate", ""), []).append(line)
    best: dict[float, Tried] = {}
    for lines in candidates.values():
        rate, state = _number(lines[0][_RATE]), lines[0].get(_STATE, "")
        one = Tried(rate, _judged_loss(lines, state), state)
        if math.isnan(rate):
            continue
        before = best.get(rate)
        if before is None or _order(one) < _order(before):
            best[rate] = one
    return [best[rate] for rate in sorted(best)]


def _lines(text: str) -> list[dict[str, str]]:
    """The rows by column; of columns of one name the first.

    Tables of older runs had two `lr`: the candidate's, and that of each epoch.
    """
    rows = csv.reader(io.StringIO(text))
    header = next(rows, [])
    return [dict(reversed(list(zip(header, row, strict=False)))) for row in rows]


def _order(one: Tried) -> tuple[bool, float]:
    return one.state != _CHOSEN, math.inf if math.isnan(one.loss) else one.loss


def _judged_loss(lines: Sequence[Mapping[str, str]], state: str) -> float:
    """As `frostline.training.candidate.Candidate.loss` judges it."""
    if state not in {"trained", _CHOSEN}:
        return math.nan
    latest = max(lines, key=lambda line: _number(line.get(_EPOCH)))
    early = _number(latest.get(_EARLY))
    if not math.isnan(early):
        return early
    losses = [loss for line in lines if not math.isnan(loss := _number(line.get(_LOSS)))]
    return min(losses, default=math.nan)


def _number(text: str | None) -> float:
    try:
        return float(text or "")
    except ValueError:
        return math.nan
