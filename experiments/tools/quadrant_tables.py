"""The tables of the study on strategies, as Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.tools.quadrant_cells import BY_DEPTH, Cell, StudyData


def prior_of(cell: Cell, data_sets: Mapping[str, StudyData], fractions: Sequence[float]) -> str:
    """Return the strategy that the common table has for a cell; `large` is the largest share."""
    quadrant = data_sets[cell.data].choice.quadrant
    similar = quadrant is not None and quadrant.similar
    size = "large" if cell.fraction == max(fractions) else "small"
    return f"{size}_{'similar' if similar else 'different'}"


def similarity_table(data_sets: Mapping[str, StudyData]) -> list[str]:
    """Each data set on the similarity axis."""
    lines = [
        "| data | top-1 confidence | prototypes | place (0 drawings, 1 photographs) | by measure |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, data in sorted(data_sets.items()):
        familiarity, quadrant = data.choice.measured.familiarity, data.choice.quadrant
        if familiarity is None or quadrant is None:
            lines.append(f"| {name} | | | | none: {data.choice.why_not} |")
            continue
        similarity = quadrant.similarity
        lines.append(
            f"| {name} | {familiarity.confidence:.3f} | {familiarity.agreement:.3f} | "
            f"{similarity.position:.2f} ± {2 * similarity.error:.2f} | {quadrant.name} |"
        )
    return lines


def verdicts(cells: Sequence[Cell], data_sets: Mapping[str, StudyData]) -> list[str]:
    """Compare the table's strategy with the best other one in each cell."""
    fractions = [cell.fraction for cell in cells]
    lines = [
        "| data | share | images a class | the table says | against (best other on validation) | "
        "difference, points | verdict | its seconds | the other's |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for cell in cells:
        prior = prior_of(cell, data_sets, fractions)
        if prior not in cell.test:
            continue
        standing = cell.standing(prior)
        interval = f"{_points(standing.low)} to {_points(standing.high)}"
        lines.append(
            f"| {cell.data} | {cell.fraction:g} | {cell.per_class:.0f} | {prior} | "
            f"{standing.other} | {_points(standing.difference)} ({interval}) | "
            f"{standing.verdict} | {_mean_s(cell, prior)} | {_mean_s(cell, standing.other)} |"
        )
    return lines


def accuracies(cells: Sequence[Cell]) -> list[str]:
    """Test accuracy and training time of every arm in every cell."""
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


def rank_table(rankings: Sequence[Mapping[str, Any]]) -> list[str]:
    """How well each score ranked the depths."""
    lines = [
        "| ranking of the depths by | rank correlation with test accuracy | 95 % interval | "
        "rankings |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        f"| {one['measure'].replace('_', ' ')} | {one['tau']:+.2f} | {one['low']:+.2f} to "
        f"{one['high']:+.2f} | {one['cells']} |"
        for one in rankings
    ]
    return lines


def _points(value: float) -> str:
    return f"{100 * value:+.1f}"


def _mean_s(cell: Cell, arm: str) -> str:
    own = cell.seconds.get(arm)
    return f"{np.mean(own):.0f} s" if own else "–"
