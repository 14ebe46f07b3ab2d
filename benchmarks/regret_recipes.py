"""Recipes beside the default one: how good their best rate is, and how well it is found early.

A rate that suits all stages is found early more easily; one that is spread over the stages may end
higher. Compared are cells (data, depth, seed) that were trained with both recipes.
"""

from collections import defaultdict

from benchmarks.regret_rows import Row, Rows
from benchmarks.regret_rules import PRODUCT, RULES, chosen

DEFAULT = (1.0, 1.0)
Cell = tuple[str, str, int]


def print_recipes(rows: Rows) -> None:
    """A table: each recipe beside the default on the cells that both have."""
    cells: dict[tuple[float, float], dict[Cell, dict[int, Row]]] = defaultdict(dict)
    for row in rows.values():
        job = row.job
        if job.freeze != "all" and job.epochs == 6:
            own = cells[job.head_lr_factor, job.layer_decay]
            own.setdefault((job.data, job.freeze, job.seed), {})[job.step] = row
    print("| head_lr_factor | layer_decay | cells | best score | default | regret | default |")
    print("|---|---|---|---|---|---|---|")
    for recipe, own in sorted(cells.items()):
        if recipe == DEFAULT:
            continue
        both = [cell for cell in own if cell in cells[DEFAULT]]
        judged = [(_best_and_regret(own[c]), _best_and_regret(cells[DEFAULT][c])) for c in both]
        able = [(a, b) for a, b in judged if a is not None and b is not None]
        means = [sum(pair[k][n] for pair in able) / len(able) for n in (0, 1) for k in (0, 1)]
        shown = " | ".join(f"{mean:.1f}" for mean in means)
        print(f"| {recipe[0]:g} | {recipe[1]:g} | {len(able)} | {shown} |")


def _best_and_regret(own: dict[int, Row]) -> tuple[float, float] | None:
    """The best score of a cell, and what the rule's choice loses; None if that was not trained."""
    step, missing = chosen(RULES[PRODUCT], {step: row.curve for step, row in own.items()})
    whole = {step: row.score() for step, row in own.items() if row.state != "begun"}
    if missing is not None or step not in whole:
        return None
    best = max(whole.values())
    return best, best - whole[step]
