"""What is recorded and printed of a race, and how its jobs ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from frostline.sweeps.outcome import Outcome
from frostline.sweeps.plan import PlannedJob

if TYPE_CHECKING:
    from frostline.tracking.records import RunRecord


@dataclass
class Round:
    """One round, as it is recorded.

    Attributes:
        name: Such as `epoch 2 of 6, seed 0`.
        judged: Cell to score, chance, in_reach and loss; empty where nothing was judged.
        dropped: Cell to the reason.
        seconds: What it took.
    """

    name: str
    judged: dict[str, dict[str, float]] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


def summary(one: Round, left: int) -> str:
    """A line after a round.

    Args:
        one: The round; something was judged.
        left: Cells that go on.
    """
    best = max(one.judged, key=lambda name: one.judged[name]["score"])
    score = 100 * one.judged[best]["score"]
    dropped = f", {len(one.dropped)} dropped" if one.dropped else ""
    return f"after {one.name}: highest {best} ({score:.1f}){dropped}, {left} cells go on"


def ending(settled: str, why_open: str) -> str:
    """A line at the end of a race.

    Args:
        settled: Why it is settled; empty where it is not.
        why_open: Why it is not.
    """
    return f"the race is settled: {settled}" if settled else f"the race is not settled: {why_open}"


def ended(
    cells: Mapping[str, Sequence[PlannedJob]],
    known: "Mapping[str, RunRecord]",
    launched: Mapping[str, Outcome],
    out: Mapping[str, str],
    why: str,
    *,
    stopped: bool = False,
) -> list[Outcome]:
    """The outcomes of all jobs that were launched, or have no whole run.

    Args:
        cells: The jobs of each cell.
        known: Their runs, by digest.
        launched: What came back last, by digest.
        out: Cells that left the race, and why.
        why: Why the race ended.
        stopped: Whether it had to, so that results are missing.
    """
    outcomes = []
    for cell, jobs in cells.items():
        for job in jobs:
            run, own = known.get(job.digest), launched.get(job.digest)
            if run is not None and run.is_whole:
                outcomes += [own] if own is not None and own.succeeded else []
            elif own is not None and own.state == "failed":
                outcomes.append(own)
            else:
                open_state = "not run" if stopped else "left"
                state, reason = ("dropped", out[cell]) if cell in out else (open_state, why)
                run_id = "" if run is None else run.run_id
                name = job.settings.run_name
                outcomes.append(Outcome(job.digest, name, state, run_id, reason=reason))
    return outcomes
