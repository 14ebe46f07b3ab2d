"""The verdict in plain sentences."""

from collections.abc import Sequence

import numpy as np

from frostline.reporting.certainty import certainty
from frostline.reporting.number_text import (
    amount,
    percent,
    points,
    seconds,
    signed,
    whole_percent,
)
from frostline.reporting.page import Conclusion
from frostline.reporting.select import Selection
from frostline.stats.cell import TUNE_S
from frostline.stats.rules import SHORT_SCORE_NAMES
from frostline.stats.verdict import Row, Verdict

_MAX_NAMED = 3


def conclude(
    verdict: Verdict | None, selection: Selection, test: str, unfair: str, *, drawn: bool
) -> Conclusion:
    """Put a verdict into sentences.

    Args:
        verdict: None if there is nothing to compare.
        selection: What was compared and what was left out.
        test: The sentence on the test figures of the recommended cell.
        unfair: Why the comparison is not fair, a reason a line; empty if no reason is found.
        drawn: Whether the images are the built-in drawings.
    """
    left_out = _left_out(selection)
    drawings = (
        [
            (
                "These images are drawings",
                "The runs were trained on the built-in leaves, which a program draws. The figures "
                "show how the method works; they say nothing about photographs.",
            )
        ]
        if drawn
        else []
    )
    if verdict is None:
        return Conclusion(
            "There is no finished run to compare yet.",
            [*drawings, ("What there is", left_out or "There is no run.")],
        )
    paragraphs = [*drawings, ("Why", _why(verdict))]
    if len(verdict.rows) > 1:
        paragraphs.append(("What it may cost", _may_cost(verdict)))
    if len(verdict.rows) > 1:
        paragraphs.append(("Not a fair comparison yet", unfair))
    paragraphs += [("On the test images", test), ("How sure is this", certainty(verdict))]
    if left_out:
        paragraphs.append(("Not compared", left_out))
    return Conclusion(_headline(verdict), [(title, text) for title, text in paragraphs if text])


def _headline(verdict: Verdict) -> str:
    take, top = verdict.recommended, verdict.top
    if len(verdict.rows) == 1:
        return f"Only {take.cell.name} has results: there is nothing to compare it with."
    others = [row for row in verdict.candidates if row is not take]
    if not others:
        return _lone_winner(verdict)
    if len(others) == 1:
        ends = " It is the cheaper one." if take is not top else " It costs no more."
        return (
            f"{take.cell.name} and {others[0].cell.name} cannot be distinguished on validation."
            + (f" Take {take.cell.name}.{ends}")
        )
    return (
        f"{len(others) + 1} of {len(verdict.rows)} configurations cannot be distinguished on "
        f"validation. Take {take.cell.name}, the cheapest of them."
    )


def _lone_winner(verdict: Verdict) -> str:
    name = verdict.recommended.cell.name
    if all(row.standing == "worse" for row in verdict.rows[1:]):
        return f"Take {name}: it is better on validation than all others."
    if any(row.standing == "not tested" for row in verdict.rows):
        return f"Take {name}, the highest on validation; not all others could be tested against it."
    return f"Take {name}: it is the best on validation, though not proven against all others."


def _why(verdict: Verdict) -> str:
    top, take = verdict.top, verdict.recommended
    score = SHORT_SCORE_NAMES[verdict.rules.score]
    lines = [f"Highest {score} on validation: {top.cell.name}, {_with_interval(top, verdict)}."]
    for standing, opening in (
        ("open", "Cannot be distinguished from it"),
        ("alike", f"Within {points(verdict.rules.equivalence)} of it, too close to matter"),
        ("behind", "Probably worse, though not proven after correction for all pairs"),
        ("worse", "Worse"),
    ):
        rows = [row for row in verdict.rows if row.standing == standing]
        if rows:
            most = 1 if standing in {"behind", "worse"} else _MAX_NAMED
            lines.append(f"{opening}: {_named(rows, most)}.")
    untested = [row for row in verdict.rows if row.standing == "not tested"]
    if untested:
        reasons = sorted({row.why for row in untested})
        lines.append(f"Not tested against it: {_named(untested, 2)} ({'; '.join(reasons)}).")
    if take is not top:
        why = _cheaper(take, top)
        lines.append(f"{take.cell.name} is the cheapest of those that may be the best: {why}.")
    elif len(verdict.candidates) > 1:
        lines.append(f"None that may be as good as {top.cell.name} trains clearly faster.")
    return "\n".join(lines)


def _cheaper(take: Row, top: Row) -> str:
    parts = []
    own, other = take.cell.run_s, top.cell.run_s
    if np.isfinite(own) and np.isfinite(other) and own > 0:
        tuning = ", tuning included" if any(r.cell.values(TUNE_S) for r in (take, top)) else ""
        parts.append(
            f"it trains {other / own:.1f} times as fast as {top.cell.name} "
            f"({seconds(own)} against {seconds(other)} a run{tuning})"
        )
    own, other = take.cell.number("trainable_params"), top.cell.number("trainable_params")
    if np.isfinite(own) and np.isfinite(other) and own < other:
        parts.append(f"{amount(own)} of its parameters are trained, instead of {amount(other)}")
    return " and ".join(parts) or "no costs are recorded for both"


def _may_cost(verdict: Verdict) -> str:
    take = verdict.recommended
    if take is verdict.top or take.comparison is None:
        return ""
    low, high = take.comparison.interval
    text = (
        f"On the same validation images {take.cell.name} differs from {verdict.top.cell.name} by "
        f"{signed(take.comparison.difference.value)} points "
        f"({whole_percent(verdict.rules.level)} interval {signed(low)} to {signed(high)})."
    )
    if low < -4 * verdict.rules.equivalence:
        text += (
            f" Up to {points(low)} may be lost: not distinguishable does not mean equal. If that "
            f"is too much, take {verdict.top.cell.name}, or run what would decide it."
        )
    return text


def _left_out(selection: Selection) -> str:
    kinds = {
        "running": "still running or waiting",
        "failed": "failed or stopped",
        "no score": "finished without a usable score",
        "other data": "not comparable, trained on other data",
        "other split": "not comparable, scored on other images",
        "duplicate": "duplicate",
    }
    parts = [
        f"{len(selection.left_out_as(kind))} {text}"
        for kind, text in kinds.items()
        if selection.left_out_as(kind)
    ]
    return (
        f"Runs left out: {', '.join(parts)}; each is listed below with its reason." if parts else ""
    )


def _with_interval(row: Row, verdict: Verdict) -> str:
    text = percent(row.value)
    if row.interval is not None:
        low, high = row.interval
        text += (
            f" ({whole_percent(verdict.rules.level)} interval {percent(low)} to {percent(high)})"
        )
    return text


def _named(rows: Sequence[Row], most: int) -> str:
    names = []
    for row in rows[:most]:
        name = row.cell.name
        if row.comparison is not None:
            low, high = row.comparison.interval
            gap = signed(row.comparison.difference.value)
            name += f" ({gap} points, {signed(low)} to {signed(high)})"
        names.append(name)
    more = len(rows) - len(names)
    return ", ".join(names) + (f", and {more} more" if more else "")
