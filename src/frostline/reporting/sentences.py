"""The verdict in plain words."""

from collections.abc import Sequence

import numpy as np

from frostline.reporting.page import Conclusion
from frostline.reporting.tables import seconds
from frostline.stats.cells import Selection
from frostline.stats.planning import need_of, seeds_for
from frostline.stats.scores import SHORT_WORDS
from frostline.stats.verdict import TRAIN_S, Row, Verdict

_MOST_NAMED = 3
_ASSUMED_SEED_SD = 0.01


def say(verdict: Verdict | None, selection: Selection, test: str, *, drawn: bool) -> Conclusion:
    """Put a verdict into words.

    Args:
        verdict: None if there is nothing to compare.
        selection: What was compared and what was left out.
        test: The sentence on the recommended cell's test figures.
        drawn: Whether the images are the built-in drawings.
    """
    doubts = _left_out(selection)
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
            "There is no finished run to judge yet.",
            [*drawings, ("What there is", doubts or "No run was found.")],
        )
    paragraphs = [*drawings, ("Why", _why(verdict))]
    if len(verdict.rows) > 1:
        paragraphs.append(("What it may cost", _may_cost(verdict)))
    paragraphs += [("On the test images", test), ("How sure is this", _sure(verdict))]
    if doubts:
        paragraphs.append(("Not compared", doubts))
    return Conclusion(_headline(verdict), [(title, text) for title, text in paragraphs if text])


def percent(value: float) -> str:
    """A share in percent, one decimal: `91.2 %`."""
    return f"{100 * value:.1f} %"


def whole_percent(value: float) -> str:
    """A level: `95 %`."""
    return f"{100 * value:g} %"


def points(value: float) -> str:
    """A difference without its sign: `0.5 points`."""
    text = f"{100 * abs(value):.1f}"
    return f"{text} point" if text == "1.0" else f"{text} points"


def signed(value: float) -> str:
    """A difference in points with its sign: `−1.2`."""
    return f"{100 * value:+.1f}".replace("-", "−")


def _headline(verdict: Verdict) -> str:
    take, top = verdict.recommended, verdict.top
    if len(verdict.rows) == 1:
        return f"Only {take.cell.name} has results: there is nothing to compare it with."
    others = [row for row in verdict.candidates if row is not take]
    if not others:
        return _lone_winner(verdict)
    if len(others) == 1:
        ends = " It is the cheaper one." if take is not top else " It costs no more."
        return f"{take.cell.name} and {others[0].cell.name} cannot be told apart on validation." + (
            f" Take {take.cell.name}.{ends}"
        )
    return (
        f"{len(others) + 1} of {len(verdict.rows)} configurations cannot be told apart on "
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
    score = SHORT_WORDS[verdict.rules.score]
    lines = [f"Highest {score} on validation: {top.cell.name}, {_with_interval(top, verdict)}."]
    for standing, opening in (
        ("open", "Cannot be told apart from it"),
        ("alike", f"Within {points(verdict.rules.equivalence)} of it, too close to matter"),
        ("behind", "Probably worse, though not proven after correction for all pairs"),
        ("worse", "Worse"),
    ):
        rows = [row for row in verdict.rows if row.standing == standing]
        if rows:
            most = 1 if standing in {"behind", "worse"} else _MOST_NAMED
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
    own, other = take.cell.mean(TRAIN_S), top.cell.mean(TRAIN_S)
    if np.isfinite(own) and np.isfinite(other) and own > 0:
        parts.append(
            f"it trains {other / own:.1f} times as fast as {top.cell.name} "
            f"({seconds(own)} against {seconds(other)} a run)"
        )
    own, other = take.cell.number("trainable_params"), top.cell.number("trainable_params")
    if np.isfinite(own) and np.isfinite(other) and own < other:
        parts.append(f"{_amount(own)} of its parameters are trained, instead of {_amount(other)}")
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
            f" Up to {points(low)} may be lost: cannot be told apart does not mean equal. If that "
            f"is too much, take {verdict.top.cell.name}, or run what would settle it."
        )
    return text


def _sure(verdict: Verdict) -> str:
    seeds = [len(row.cell.runs) for row in verdict.rows]
    text = _evidence(verdict, seeds)
    rivals = [row for row in verdict.rows if row.standing == "open" and row.comparison is not None]
    if not rivals:
        return text
    gap = max(abs(rivals[0].value - verdict.top.value), verdict.rules.equivalence)
    if max(seeds) == 1:
        needed = seeds_for(gap, _ASSUMED_SEED_SD, level=verdict.rules.level)
        return (
            f"{text} If seeds differ by one point (standard deviation), which is common, about "
            f"{needed} seeds each would tell {points(gap)} apart; 3 to 5 show how much they "
            "differ here. Run the same command with more values of seed."
        )
    rival = rivals[0]
    assert rival.comparison is not None
    if rival.comparison.spread.n_seeds < 2:
        return f"{text} The first two share one seed only: give both the same seeds."
    need = need_of(
        rival.comparison.spread,
        equivalence=verdict.rules.equivalence,
        level=verdict.rules.level,
    )
    text += f"\nTo tell {verdict.top.cell.name} from {rival.cell.name} ({points(need.gap)} apart) "
    if need.seeds is not None and need.seeds > rival.comparison.spread.n_seeds:
        return text + f"about {need.seeds} seeds each would be needed."
    if need.seeds is not None:
        return (
            text + "the seeds are about enough; the correction for all pairs asks for a few more."
        )
    return text + (
        "more seeds alone will not do: about "
        f"{_times(need.images_factor)} times as many validation images would."
    )


def _evidence(verdict: Verdict, seeds: Sequence[int]) -> str:
    spread = verdict.top.spread
    images = f" on images of {spread.n_groups:,} groups" if spread is not None else ""
    if max(seeds) == 1:
        return (
            f"Every configuration was run with one seed{images}. The intervals hold for other "
            "images, not for other seeds: nothing here tells how much the order would change if "
            "the same were run again."
        )
    many = f"{min(seeds)} to {max(seeds)}" if min(seeds) < max(seeds) else str(max(seeds))
    text = f"{many} seeds for each configuration{images}."
    if min(seeds) == 1:
        text += " Those with one seed are judged by images alone."
    pairs = verdict.family_size
    if pairs > 1:
        text += (
            f" Claims are corrected for all {pairs:,} pairs of configurations: 19 of 20 such "
            "sweeps make no wrong one."
        )
    return text


def _left_out(selection: Selection) -> str:
    kinds = {
        "running": "still running or waiting",
        "failed": "failed or stopped",
        "no score": "finished without a usable score",
        "other data": "refused, trained on other data",
        "other split": "refused, scored on other images",
        "duplicate": "duplicate",
    }
    parts = [
        f"{len(selection.left_by(kind))} {words}"
        for kind, words in kinds.items()
        if selection.left_by(kind)
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


def _times(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{max(value, 1.1):.1f}"


def _amount(value: float) -> str:
    return f"{value / 1e6:.1f} million" if value >= 1e6 else f"{value:,.0f}"
