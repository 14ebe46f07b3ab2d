"""The regret of each rule as Markdown, and how much better a chosen rate looks than it is."""

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.regret_rows import AUTO, CENTER, JUDGED, Row, Rows
from benchmarks.regret_rules import CANDIDATES, EARLY, PRODUCT, Rule, chosen

SHARED = 0  # the step of one rate for all: 5e-4, the default before
Cell = tuple[str, str]
BySeed = dict[int, dict[int, Row]]


def print_tables(rows: Rows) -> None:
    """Print all tables."""
    cells = cells_of(rows)
    print(
        "| data | depth | seeds | best rate | its score | 5e-4 for all: loses | lr=auto: loses | "
        "the same, first seed for all |"
    )
    print("|---|---|---|---|---|---|---|---|")
    kept: dict[str, list[float]] = {"shared": [], "auto": [], "first": []}
    for (data, depth), seeds in cells.items():
        best, scores = best_step(seeds)
        shared = [
            scores[seed] - row.score()
            for seed, own in seeds.items()
            if (row := own.get(SHARED)) is not None and _is_whole(row)
        ]
        auto = [scores[seed] - picked(seeds[seed], depth) for seed in seeds]
        first = _first_for_all(seeds, depth, scores)
        for name, values in zip(kept, (shared, auto, first), strict=True):
            kept[name].append(float(np.mean(values)))
        print(
            f"| {data} | {depth} | {len(seeds)} | {CENTER * 10 ** (best / 2):.1e} | "
            f"{np.mean(list(scores.values())):.1f} | {spread(shared)} | {spread(auto)} | "
            f"{spread(first)} |"
        )
    trained = [depth != "all" for _, depth in cells]
    for name, rows_of in (
        ("mean, stages train", trained),
        ("mean over all cells", [True] * len(trained)),
    ):
        means = " | ".join(
            f"**{np.mean(own):.2f}** (most {max(own):.1f})"
            for values in kept.values()
            for own in [[value for value, wanted in zip(values, rows_of, strict=True) if wanted]]
        )
        print(f"| {name} | | | | | {means} |")
    print()
    _print_rules(cells)
    _print_optimism(cells)


def cells_of(rows: Rows) -> dict[Cell, BySeed]:
    """Rows of the default recipe: cell, seed and step to the row; seeds that are whole alone."""
    cells: dict[Cell, BySeed] = {}
    for job, row in sorted(rows.items()):
        if (job.head_lr_factor, job.layer_decay, job.epochs) == (1.0, 1.0, 6):
            cells.setdefault((job.data, job.freeze), {}).setdefault(job.seed, {})[job.step] = row
    return {
        cell: whole
        for cell, seeds in cells.items()
        if len(whole := {seed: own for seed, own in seeds.items() if _is_complete(own, cell[1])})
        > 0
    }


def best_step(seeds: BySeed) -> tuple[int, dict[int, float]]:
    """The rate with the best mean test score, trained to its end, and its score by seed.

    Rates that not every seed trained to its end are no candidates for it: they were far behind.
    """
    steps = set.intersection(
        *(
            {step for step, row in own.items() if _is_whole(row) and step != AUTO}
            for own in seeds.values()
        )
    )
    best = max(steps, key=lambda step: np.mean([seeds[seed][step].score() for seed in seeds]))
    return best, {seed: seeds[seed][best].score() for seed in seeds}


def picked(own: Mapping[int, Row], depth: str, rule: Rule | None = None) -> float:
    """The test score of what is chosen on a seed."""
    if depth == "all":
        return own[AUTO].score()
    return own[step_of(own, rule)].score()


def step_of(own: Mapping[int, Row], rule: Rule | None = None) -> int:
    """The step that a rule chooses, the product's unless another is given."""
    curves = {step: row.curve for step, row in own.items() if _is_judged(row)}
    step, _ = chosen(rule or EARLY[PRODUCT], curves)
    return step


def spread(values: Sequence[float]) -> str:
    """Mean and its standard error."""
    if len(values) < 2:
        return f"{np.mean(values):.1f}"
    error = np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{np.mean(values):.1f} ± {error:.1f}"


def _first_for_all(seeds: BySeed, depth: str, scores: Mapping[int, float]) -> list[float]:
    if depth == "all":
        return [scores[seed] - picked(seeds[seed], depth) for seed in seeds]
    step = step_of(seeds[min(seeds)])
    return [scores[seed] - score_of(seeds, seed, step) for seed in seeds]


def _print_rules(cells: Mapping[Cell, BySeed]) -> None:
    print("| rule | mean regret | most in a cell |\n|---|---|---|")
    for name, rule in EARLY.items():
        lost = []
        for (_, depth), seeds in cells.items():
            if depth == "all":
                continue
            _, scores = best_step(seeds)
            own = [
                scores[seed] - score_of(seeds, seed, step_of(seeds[seed], rule)) for seed in seeds
            ]
            lost.append(float(np.mean(own)))
        print(f"| {name} | {np.mean(lost):.2f} | {max(lost):.1f} |")
    print()


def _print_optimism(cells: Mapping[Cell, BySeed]) -> None:
    """Validation minus test score, of what was chosen and of the best fixed rate."""
    gaps = [
        _gap(own[step_of(own)]) - _gap(own[best])
        for (_, depth), seeds in cells.items()
        if depth != "all"
        for best in [best_step(seeds)[0]]
        for own in seeds.values()
        if _is_whole(own[step_of(own)])
    ]
    print(
        f"A chosen rate looks better by {spread(gaps)} points than a fixed one ({len(gaps)} runs)."
    )


def _gap(row: Row) -> float:
    return row.score("val_best/acc_micro") - row.score("test/acc_micro")


def score_of(seeds: BySeed, seed: int, step: int) -> float:
    """A step's test score on a seed.

    Far behind on the first seed, a rate was not trained to its end on others: its gap to the best
    rate on the first seed stands for the one there.
    """
    row = seeds[seed].get(step)
    if row is not None and _is_whole(row):
        return row.score()
    _, scores = best_step(seeds)
    first = min(seeds)
    behind = seeds[first].get(step)
    if behind is None or not _is_whole(behind):
        # Further out than a rate that was hopeless already.
        return min(own.score() for own in seeds[first].values() if _is_whole(own))
    return scores[seed] - (scores[first] - behind.score())


def _is_whole(row: Row) -> bool:
    return row.state != "begun"


def _is_complete(own: Mapping[int, Row], depth: str) -> bool:
    if depth == "all":
        return AUTO in own
    # All candidates of a seed are judged by the same loss, or the seed shows nothing.
    curves = {step: row.curve for step, row in own.items() if _is_judged(row)}
    if not set(CANDIDATES) <= curves.keys():
        return False
    step, missing = chosen(EARLY[PRODUCT], curves)
    return missing is None and _is_whole(own[step])


def _is_judged(row: Row) -> bool:
    """Whether the loss by which candidates are judged was recorded, or the run diverged before."""
    return row.state == "diverged" or (len(row.curve) > 1 and len(row.curve[1]) == len(JUDGED))
