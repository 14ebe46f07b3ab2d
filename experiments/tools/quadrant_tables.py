"""The tables of the study on strategies, in Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.tools.quadrant_cells import BY_DEPTH, Cell, DataAtHand


def prior_of(cell: Cell, at_hand: Mapping[str, DataAtHand], fractions: Sequence[float]) -> str:
    """The table's strategy for a cell; `large` is the study's own word for the largest share."""
    quadrant = at_hand[cell.data].choice.quadrant
    similar = quadrant is not None and quadrant.similar
    size = "large" if cell.fraction == max(fractions) else "small"
    return f"{size}_{'similar' if similar else 'different'}"


def where_they_stand(at_hand: Mapping[str, DataAtHand]) -> list[str]:
    """Each data set on the axis of similarity."""
    lines = [
        "| data | top-1 confidence | prototypes | place (0 drawings, 1 photographs) | by measure |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, data in sorted(at_hand.items()):
        known, quadrant = data.choice.measured.familiarity, data.choice.quadrant
        if known is None or quadrant is None:
            lines.append(f"| {name} | | | | cannot tell: {data.choice.why_not} |")
            continue
        place = quadrant.similarity
        lines.append(
            f"| {name} | {known.confidence:.3f} | {known.agreement:.3f} | {place.position:.2f} "
            f"± {2 * place.error:.2f} | {quadrant.name} |"
        )
    return lines


def verdicts(cells: Sequence[Cell], at_hand: Mapping[str, DataAtHand]) -> list[str]:
    """The table's strategy against the best other, cell by cell."""
    fractions = [cell.fraction for cell in cells]
    lines = [
        "| data | share | images a class | the table says | against (best other on validation) | "
        "difference, points | verdict | its seconds | the other's |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for cell in cells:
        prior = prior_of(cell, at_hand, fractions)
        if prior not in cell.test:
            continue
        found = cell.standing(prior)
        lines.append(
            f"| {cell.data} | {cell.fraction:g} | {cell.per_class:.0f} | {prior} | {found.other} | "
            f"{_points(found.difference)} ({_points(found.low)} to {_points(found.high)}) | "
            f"{found.verdict} | {_mean_s(cell, prior)} | {_mean_s(cell, found.other)} |"
        )
    return lines


def accuracies(cells: Sequence[Cell]) -> list[str]:
    """Every arm in every cell, with what it cost."""
    arms = list(dict.fromkeys(arm for cell in cells for arm in (*BY_DEPTH, *sorted(cell.test))))
    lines = [
        "Test accuracy in %, mean of the seeds, and seconds of training:",
        "",
        f"| data | share | seeds | {' | '.join(arms)} |",
        "| " + " | ".join(["---"] * (len(arms) + 3)) + " |",
    ]
    for cell in cells:
        shown = []
        for arm in arms:
            own = [run.value for run in cell.test.get(arm, {}).values()]
            text = f"{100 * float(np.mean(own)):.1f}" if own else ""
            shown.append(f"{text} ({_mean_s(cell, arm)})" if cell.seconds.get(arm) else text)
        lines.append(f"| {cell.data} | {cell.fraction:g} | {cell.seeds} | {' | '.join(shown)} |")
    return lines


def rank_lines(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """How well each score ranked the depths."""
    lines = [
        "| ranking of the depths by | rank correlation with test accuracy | 95 % interval | "
        "rankings |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        f"| {one['measure'].replace('_', ' ')} | {one['tau']:+.2f} | {one['low']:+.2f} to "
        f"{one['high']:+.2f} | {one['cells']} |"
        for one in found
    ]
    return lines


def _points(value: float) -> str:
    return f"{100 * value:+.1f}"


def _mean_s(cell: Cell, arm: str) -> str:
    own = cell.seconds.get(arm)
    return f"{np.mean(own):.0f} s" if own else "–"
