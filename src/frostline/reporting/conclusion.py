"""The verdict in plain sentences."""

from collections.abc import Sequence

from frostline.reporting.certainty import certainty
from frostline.reporting.number_text import (
    percent,
    points,
    signed,
    whole_percent,
)
from frostline.reporting.page import Conclusion
from frostline.reporting.recommendation import chance_text, recommendation_lines
from frostline.reporting.select import Selection
from frostline.stats.judged_cell import Row
from frostline.stats.rules import SHORT_SCORE_NAMES
from frostline.stats.verdict import Verdict

_MAX_NAMED = 3
_UNPROVEN = {"behind", "lone class", "one seed", "not tested"}
_MODELS_ALONE = (
    "There is one seed of each, so this holds for these trained models on other images, and "
    "nothing is claimed of configurations."
)


def conclude(
    verdict: Verdict | None,
    selection: Selection,
    test: str,
    unfair: str,
    further: str = "",
    unsaid: str = "",
    *,
    drawn: bool,
) -> Conclusion:
    """Put a verdict into sentences.

    Args:
        verdict: None if there is nothing to compare.
        selection: What was compared and what was left out.
        test: The sentence on the test figures of the recommended cell.
        unfair: Why the comparison is not fair, a reason a line; empty if no reason is found.
        further: What to run next.
        unsaid: What cannot be said about these data, and why.
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
    paragraphs += [
        ("On the test images", test),
        ("How sure is this", certainty(verdict)),
        ("What cannot be said", unsaid),
        ("What next", further),
    ]
    if left_out:
        paragraphs.append(("Not compared", left_out))
    return Conclusion(_headline(verdict), [(title, text) for title, text in paragraphs if text])


def _headline(verdict: Verdict) -> str:
    take = verdict.recommended
    name, tolerance = take.cell.name, points(verdict.rules.tolerance)
    if len(verdict.rows) == 1:
        return f"Only {name} has results: there is nothing to compare it with."
    if take.loss is None:
        return f"Take {name}, the highest on validation; how sure that is cannot be said."
    ends = _not_distinguished(verdict) + (f" {_MODELS_ALONE}" if verdict.is_of_models else "")
    if all(row.standing == "worse" for row in verdict.rows if row is not take):
        return f"Take {name}: it is better on validation than all others."
    if len(verdict.candidates) == 1:
        return (
            f"Take {name}: its expected loss, {points(take.loss)}, is the smallest by more than "
            f"{tolerance}.{ends}"
        )
    if take is verdict.likeliest:
        return (
            f"Take {name}: its expected loss, {points(take.loss)}, is the smallest, and none "
            f"within {tolerance} of it costs clearly less.{ends}"
        )
    return (
        f"Take {name}: of the {len(verdict.candidates)} configurations whose expected loss is "
        f"within {tolerance} of the smallest it costs least.{ends}"
    )


def _not_distinguished(verdict: Verdict) -> str:
    """How likely the choice is the best, and that others may be: it is a choice, no proof."""
    take = verdict.recommended
    if take.chance is None:
        return ""
    choice = (
        f" That is a choice, not a proof: it is {chance_text(take.chance)} likely to be the best"
    )
    others = [row for row in verdict.rows if row is not take]
    if named := _one_or_many([row for row in others if row.standing == "open"]):
        return f"{choice}, and {named} cannot be distinguished from the highest."
    unproven = [row for row in others if row.standing in _UNPROVEN]
    if (named := _one_or_many(unproven)) and not verdict.is_of_models:
        return f"{choice}, and nothing proves {named} to be worse."
    return ""


def _one_or_many(rows: Sequence[Row]) -> str:
    if len(rows) > 1:
        return f"{len(rows)} others"
    return rows[0].cell.name if rows else ""


def _why(verdict: Verdict) -> str:
    top = verdict.top
    score = SHORT_SCORE_NAMES[verdict.rules.score]
    lines = [f"Highest {score} on validation: {top.cell.name}, {_with_interval(top, verdict)}."]
    lines += recommendation_lines(verdict)
    for standing, opening in (
        ("open", "Cannot be distinguished from the highest"),
        ("alike", f"Within {points(verdict.rules.equivalence)} of it, too close to matter"),
        ("behind", "Lower, but not proven after correction for all pairs and looks"),
        (
            "lone class",
            "Nothing is claimed, as classes whose validation images are one group could make up "
            "the difference",
        ),
        (
            "one seed",
            "Not tested, as one seed is shared; the trained models' differences on other images",
        ),
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
    return "\n".join(lines)


def _may_cost(verdict: Verdict) -> str:
    take = verdict.recommended
    if take is verdict.top or take.comparison is None:
        return ""
    low, high = take.comparison.interval
    compared = "the trained models of " if take.comparison.is_of_models else ""
    text = (
        f"On the same validation images {compared}{take.cell.name} and {verdict.top.cell.name} "
        f"differ by {signed(take.comparison.difference.value)} points "
        f"({whole_percent(verdict.rules.level)} interval {signed(low)} to {signed(high)})."
    )
    # Where its loss is the smallest, the highest is no safer, whatever it scored.
    if low < -verdict.rules.tolerance and take is not verdict.likeliest:
        text += (
            f" In a bad case {points(low)} are lost. If that is too much, take "
            f"{verdict.top.cell.name}, give a smaller --tolerance, or run what would decide it."
        )
    return text


def _left_out(selection: Selection) -> str:
    kinds = {
        "running": "still running or waiting",
        "dropped": "dropped by the race before their end",
        "failed": "failed or stopped",
        "no score": "finished without a usable score",
        "damaged": "left out, their files being damaged",
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
