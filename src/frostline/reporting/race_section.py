"""The rounds of a race on the page: which cell stood where, and what was dropped when."""

import json
from collections.abc import Mapping
from typing import Any

from frostline.invocation import as_called
from frostline.reporting.page import MAX_SERIES, Figure, Section, Series
from frostline.reporting.tables import Column, Table, Value
from frostline.stats.rules import SHORT_SCORE_NAMES
from frostline.tracking.lookup import PLAN_FILE
from frostline.tracking.records import RACE_FILE, RunRecord
from frostline.tracking.run_contents import Source

_NOTE = (
    "Cells were trained in rounds, and those that were unlikely to be chosen went no further. That "
    "is a decision by what was known then, not a claim that they are worse: the leaderboard above "
    "holds those that were trained to their end, and its claims are corrected for all that entered."
)


def read_race(sweep: RunRecord | None, source: Source) -> dict[str, Any]:
    """The record of a sweep's race; empty if there was none, or it cannot be read."""
    text = None if sweep is None else source.text(sweep.run_id, RACE_FILE)
    try:
        race = json.loads(text) if text else {}
    except ValueError:
        return {}
    return race if isinstance(race, dict) and race.get("rounds") else {}


def open_race(race: Mapping[str, Any]) -> str:
    """A sentence where a race ended without being settled; else empty."""
    reason = str(race.get("open") or "")
    return f"The race is not settled: {reason}." if reason else ""


def go_on(race: Mapping[str, Any], sweep: RunRecord | None, source: Source) -> str:
    """How to go on with a race whose budget was spent, the command last; else empty."""
    if not race.get("is_spent") or sweep is None:
        return ""
    text = source.text(sweep.run_id, PLAN_FILE)
    try:
        command = str(json.loads(text)["command"]) if text else ""
    except (ValueError, KeyError, TypeError):
        command = ""
    again = f":\n{as_called(command)}" if command else "."
    return (
        "The race can go on from where it stopped: give its command again, with the same budget "
        f"anew or a larger one{again}"
    )


def _guessed(race: Mapping[str, Any]) -> str:
    guess = race.get("first_guess") or {}
    if not guess:
        return ""
    named = ", ".join(
        f"{name} {100 * value:.0f} %" for name, value in sorted(guess.items(), key=lambda g: -g[1])
    )
    return (
        "A first guess, the accuracy of nearest neighbours on the last features of each backbone, "
        f"ordered the cells and dropped none: {named}."
    )


def race_section(race: Mapping[str, Any]) -> list[Section]:
    """The section, with a figure and a table; none without a race."""
    rounds = [one for one in race.get("rounds", []) if one["judged"]]
    if not rounds:
        return []
    how = (
        f"It was settled: {race['settled']}. Stopping there is a decision by expected loss."
        if race.get("settled")
        else open_race(race)
    )
    return [
        Section(
            "race",
            "The race",
            [*filter(None, (_NOTE, _guessed(race), how))],
            [_figure(race, rounds)],
        )
    ]


def _figure(race: Mapping[str, Any], rounds: list[dict[str, Any]]) -> Figure:
    names = list(dict.fromkeys(name for one in rounds for name in one["judged"]))
    paths = {
        name: [
            (k + 1, one["judged"][name]) for k, one in enumerate(rounds) if name in one["judged"]
        ]
        for name in names
    }
    # Those that came furthest have colours of their own; the others share the last one.
    order = sorted(names, key=lambda name: (-paths[name][-1][0], -paths[name][-1][1]["score"]))
    own = order if len(order) <= MAX_SERIES else order[: MAX_SERIES - 1]
    series = [
        Series(
            name if name in own else "others",
            [float(k) for k, _ in paths[name]],
            [100 * judged["score"] for _, judged in paths[name]],
            style="both",
            colour=own.index(name) if name in own else MAX_SERIES - 1,
            dashed=name not in own,
            in_legend=name in own or name == order[len(own)],
            labels=[
                f"{name}: {100 * judged['score']:.1f} %, {100 * judged['in_reach']:.0f} % in reach"
                for _, judged in paths[name]
            ],
        )
        for name in order
    ]
    score = SHORT_SCORE_NAMES[race["rules"]["score"]]
    caption = (
        "One line a cell; it ends where the cell was dropped, or the race ended. Rounds: "
        + "; ".join(f"{k + 1} {one['name']}" for k, one in enumerate(rounds))
        + "."
    )
    return Figure(
        "race",
        f"Validation {score} by round",
        caption,
        "round",
        f"{score} on validation, %",
        _table(race, paths, order),
        series,
        whole_x=True,
    )


def _table(
    race: Mapping[str, Any],
    paths: Mapping[str, list[tuple[int, Mapping[str, float]]]],
    order: list[str],
) -> Table:
    columns = [
        Column("cell"),
        Column("rounds", "count"),
        Column("score", "percent"),
        Column("in reach of the best", "percent"),
        Column("expected loss", "percent"),
        Column("how it ended"),
    ]
    out = race.get("out", {})
    rows: list[list[Value]] = []
    for name in order:
        last, judged = paths[name][-1]
        end = out.get(name, "went on to the end of the race")
        rows.append([name, last, judged["score"], judged["in_reach"], judged["loss"], end])
    return Table("race", "The race, by cell", columns, rows)
